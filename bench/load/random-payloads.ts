import { randomEvents } from "../../internal/generator/events.ts";
import { seededRandom } from "../../internal/generator/random.ts";

/**
 * Endless raw events like the generator's, as JSON.
 * @param firstId the first id; the next ones count up
 * @param players number of different players, with ids from 10; default: the generator's ten
 */
export function* randomPayloads(firstId: number, players?: number): Generator<string, never> {
  const random = seededRandom(firstId);
  const events = randomEvents(random, () => new Date());
  for (let id = firstId; ; id++) {
    const event = events.next().value;
    event.id = id;
    if (players !== undefined) event.player_id = 10 + Math.floor(random() * players);
    yield JSON.stringify(event);
  }
}

import { randomEvents } from "../../internal/generator/events.ts";
import { seededRandom } from "../../internal/generator/random.ts";

/**
 * Raw events as the generator makes them, as JSON, without end.
 * @param firstId the first one's id; the next ones count up
 * @param players how many different players they are of, ids from 10; default: the generator's ten
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

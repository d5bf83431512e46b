/** The title of a game, by its number; undefined for one that has none. */
export type GameTitle = (id: number) => string | undefined;

/** How a sentence speaks of a game, to follow the article "a": `game "Rocket Dice"`, or `game #123` without a title. */
export function gameName(id: number, titleOf: GameTitle): string {
  const title = titleOf(id);
  return title === undefined ? `game #${id}` : `game "${title}"`;
}

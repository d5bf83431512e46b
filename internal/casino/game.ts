/** The games that have a title, by id. Others are played too, and are known by their number only. */
export const gameTitles: ReadonlyMap<number, string> = new Map([
  [100, "Rocket Dice"],
  [101, "It's bananas!"],
  [102, "Wild Spin"],
  [103, "Book of Dead"],
  [104, "Pirate Jackpots"],
  [105, "Western Gold 2"],
  [106, "Super Rainbow Megaways"],
  [107, "#BarsAndBells"],
  [108, "Fortune Three"],
  [109, "ChilliPop"],
]);

/** How a sentence speaks of a game, to follow the article "a": `game "Rocket Dice"`, or `game #123` without a title. */
export function gameName(id: number): string {
  const title = gameTitles.get(id);
  return title === undefined ? `game #${id}` : `game "${title}"`;
}

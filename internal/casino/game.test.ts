import { describe, expect, it } from "vitest";
import { gameName } from "./game.ts";

describe("gameName", () => {
  it.each([
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
  ])("quotes the title of game %i", (id, title) => expect(gameName(id)).toBe(`game "${title}"`));

  it.each([1, 99, 110, 123, Number.MAX_SAFE_INTEGER])("numbers game %i, which has no title", (id) =>
    expect(gameName(id)).toBe(`game #${id}`),
  );
});

import { describe, expect, it } from "vitest";
import { gameName } from "./game.ts";

const titleOf = (id: number) => (id === 101 ? "It's bananas!" : undefined);

describe("gameName", () => {
  it("quotes a title", () => expect(gameName(101, titleOf)).toBe('game "It\'s bananas!"'));

  it.each([1, 123, Number.MAX_SAFE_INTEGER])("numbers game %i, which has no title", (id) =>
    expect(gameName(id, titleOf)).toBe(`game #${id}`),
  );
});

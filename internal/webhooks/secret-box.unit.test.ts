import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { SealError, SecretBox } from "./secret-box.ts";

const [older, newer] = [randomBytes(32), randomBytes(32)];

test("opens what it sealed, for its owner alone", () => {
  const box = new SecretBox([newer]);
  const sealed = box.seal("whsec_é", "a");
  expect(sealed).not.toContain("whsec");
  expect(box.open(sealed, "a")).toBe("whsec_é");
  expect(() => box.open(sealed, "b")).toThrow(SealError);
  expect(box.seal("whsec_é", "a")).not.toBe(sealed);
});

test("of several keys the first one seals and each opens", () => {
  const sealed = new SecretBox([older]).seal("text", "a");
  const rotating = new SecretBox([newer, older]);
  expect(rotating.open(sealed, "a")).toBe("text");
  expect(rotating.isOld(sealed)).toBe(true);
  expect(rotating.isOld(rotating.seal("text", "a"))).toBe(false);
  expect(() => new SecretBox([newer]).open(sealed, "a")).toThrow(
    /^DELIVERY_KEY lacks the key [0-9a-f]{8}: append it to the others\.$/,
  );
});

test("what was altered does not open", () => {
  const box = new SecretBox([newer]);
  const sealed = box.seal("text", "a");
  const [name = "", payload = ""] = sealed.split(".");
  const bytes = Buffer.from(payload, "base64url");
  for (const at of [0, 13, bytes.length - 1]) {
    const altered = Buffer.from(bytes);
    altered[at] = (altered[at] ?? 0) ^ 1;
    expect(() => box.open(`${name}.${altered.toString("base64url")}`, "a")).toThrow(SealError);
  }
  for (const wrong of ["", "text", `${name}.`, `${name}.AAAA`])
    expect(() => box.open(wrong, "a"), wrong).toThrow(SealError);
});

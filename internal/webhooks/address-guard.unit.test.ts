import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { describe, expect, test } from "vitest";
import { networks } from "../service/config-values.ts";
import { AddressGuard, AddressRefused } from "./address-guard.ts";

const isRefused = (guard: AddressGuard, address: string, isEncrypted = true): boolean => {
  try {
    guard.checkLiteral(address, isEncrypted);
    return false;
  } catch (err) {
    if (err instanceof AddressRefused) return true;
    throw err;
  }
};

describe("refused by itself", () => {
  const guard = new AddressGuard();
  test.each([
    ...[
      "127.0.0.1",
      "127.255.0.1",
      "10.1.2.3",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.0.1",
      "0.0.0.0",
      "0.1.2.3",
    ],
    ...[
      "169.254.169.254",
      "100.64.0.1",
      "100.100.100.200",
      "168.63.129.16",
      "192.0.0.192",
      "192.0.2.1",
      "198.18.0.1",
    ],
    ...["203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"],
    ...[
      "::1",
      "::",
      "fe80::1",
      "fc00::1",
      "fd00:ec2::254",
      "ff02::1",
      "fec0::1",
      "2001:db8::1",
      "100::1",
      "5f00::1",
    ],
    // IPv6 addresses that embed an IPv4 address.
    ...[
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "::127.0.0.1",
      "64:ff9b::7f00:1",
      "64:ff9b:1::1",
      "2002:7f00:1::",
    ],
    ...["2001:0:7f00:1::", "::ffff:0:127.0.0.1", "4000::1"],
  ])("%s", (address) => {
    expect(isRefused(guard, address)).toBe(true);
  });

  test.each(["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "example.com"])(
    "not %s",
    (host) => {
      expect(isRefused(guard, host)).toBe(false);
    },
  );

  test("what is not encrypted, wherever it would go", () => {
    expect(isRefused(guard, "8.8.8.8", false)).toBe(true);
  });
});

test("networks that are named may be called, also without encryption; their neighbours may not", () => {
  const guard = new AddressGuard(networks("127.0.0.1/32, 10.1.0.0/16,fd00::/8"));
  for (const isEncrypted of [true, false]) {
    for (const address of ["127.0.0.1", "10.1.255.1", "fd12::1", "::ffff:10.1.0.1"])
      expect(isRefused(guard, address, isEncrypted), address).toBe(false);
    for (const address of ["127.0.0.2", "10.2.0.1", "fc00::1", "::1"])
      expect(isRefused(guard, address, isEncrypted), address).toBe(true);
  }
});

test.each(["", "10.0.0.0", "10.0.0.0/33", "a/8", "10.0.0.0/8,"])("%o names no networks", (text) => {
  expect(() => networks(text)).toThrow(/^be comma-separated networks/);
});

describe("a name", () => {
  const leadingTo =
    (...addresses: readonly string[]): LookupFunction =>
    (_name, _options, done) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
  const found = (guard: AddressGuard, all = true) =>
    new Promise<string | LookupAddress[]>((resolve, reject) =>
      guard.lookup(true)("name", { all }, (err, result) => (err === null ? resolve(result) : reject(err))),
    );

  test("leads to those of its addresses that may be called", async () => {
    const guard = new AddressGuard([], leadingTo("127.0.0.1", "8.8.8.8", "::1"));
    expect(await found(guard)).toEqual([{ address: "8.8.8.8", family: 4 }]);
    expect(await found(guard, false)).toBe("8.8.8.8");
  });

  test("is refused when none is left, without saying which they were", async () => {
    const refused = found(new AddressGuard([], leadingTo("10.9.8.7", "::1")));
    await expect(refused).rejects.toThrow(AddressRefused);
    await expect(refused).rejects.not.toThrow(/10\.9/);
    await expect(found(new AddressGuard([], leadingTo()))).rejects.toThrow(AddressRefused);
  });

  test("fails as its lookup fails", async () => {
    const failed = Object.assign(new Error("not found"), { code: "ENOTFOUND" });
    const guard = new AddressGuard([], (_name, _options, done) => done(failed, []));
    await expect(found(guard)).rejects.toBe(failed);
  });

  test("is only held against what it is known to lead to where a proxy finds the address", async () => {
    const check = (lookup: LookupFunction) => new AddressGuard([], lookup).checkName("name", true);
    await expect(check(leadingTo("10.0.0.1"))).rejects.toThrow(AddressRefused);
    await check(leadingTo("8.8.8.8"));
    await check((_name, _options, done) => done(new Error("no names from here"), []));
    await expect(new AddressGuard().checkName("10.0.0.1", true)).rejects.toThrow(AddressRefused);
  });
});

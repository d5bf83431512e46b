import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { findNatsServer, findRedisServer, versionOf } from "./binaries.ts";
import { downloadNatsRelease } from "./nats-release.ts";

/** Answers every download with bytes that are no release. */
const releases = createServer((_request, response) => response.end("not a release"));
let releasesUrl = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => releases.listen(0, "127.0.0.1", resolve));
  const address = releases.address();
  releasesUrl = `http://127.0.0.1:${typeof address === "object" && address?.port}`;
});
afterAll(() => releases.close());

function fakeServer(path: string, version: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho '${version}'\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("nats-server", () => {
  test("is taken from where it is installed, unless it is too old", async () => {
    const folder = tempFolder("bin");
    const old = fakeServer(join(folder, "old"), "nats-server: v2.8.4");
    const recent = fakeServer(join(folder, "recent"), "nats-server: v2.9.0");
    const found = await findNatsServer({ commands: [join(folder, "none"), old, recent], cache: folder });
    expect(found).toEqual({ path: recent, env: {}, source: "installed" });
  });

  test("3.0 is newer than 2.9", async () => {
    const folder = tempFolder("bin");
    const newest = fakeServer(join(folder, "newest"), "nats-server: v3.0.0");
    expect((await findNatsServer({ commands: [newest], cache: folder })).path).toBe(newest);
  });

  test("an older one only where no newer is to be had, for who prefers those", async () => {
    const folder = tempFolder("bin");
    const old = fakeServer(join(folder, "old"), "nats-server: v2.10.4");
    const newer = fakeServer(join(folder, "newer"), "nats-server: v2.10.5");
    const find = (...commands: readonly string[]) =>
      findNatsServer({
        ...{ commands, cache: folder, preferNewer: true },
        ...{ releases: releasesUrl, debian: releasesUrl },
      });
    expect((await find(old, newer)).path).toBe(newer);
    const only = await find(old);
    expect([only.path, await versionOf(only)]).toEqual([old, "nats-server v2.10.4"]);
  });

  test("of Debian's stable release replaces an older one for who prefers that, if it runs here", async () => {
    const cache = tempFolder("bin");
    const commands = [fakeServer(join(cache, "old"), "nats-server: v2.9.10")];
    const stable = join(cache, "debian-stable-nats-server/usr/sbin/nats-server");
    const said: string[] = [];
    const find = (preferNewer: boolean) =>
      findNatsServer({ commands, cache, releases: releasesUrl, preferNewer, say: (text) => said.push(text) });
    fakeServer(stable, "nats-server: v2.10.27");
    expect(await find(true)).toEqual({ path: stable, env: {}, source: "Debian's stable release" });
    expect(said).toEqual([expect.stringContaining("2.10.5 or newer")]);
    expect((await find(false)).path).toBe(commands[0]);
  });

  test("of Debian's stable release is not taken where it does not run", async () => {
    const cache = tempFolder("bin");
    const old = fakeServer(join(cache, "old"), "nats-server: v2.9.10");
    const stable = join(cache, "debian-stable-nats-server/usr/sbin/nats-server");
    fakeServer(stable, "");
    writeFileSync(stable, "#!/bin/sh\nexit 1\n");
    const places = { commands: [old], cache, releases: releasesUrl, preferNewer: true };
    expect((await findNatsServer(places)).path).toBe(old);
  });

  test("a download with another checksum is refused", async () => {
    const download = downloadNatsRelease(tempFolder("bin"), releasesUrl);
    await expect(download).rejects.toThrow(
      /does not have the pinned checksum|no nats-server release is pinned/,
    );
  });

  test("what an earlier run has unpacked is used again", async () => {
    const cache = tempFolder("bin");
    const path = fakeServer(join(cache, "debian-nats-server/usr/sbin/nats-server"), "nats-server: v2.9.10");
    expect((await findNatsServer({ commands: [], cache, releases: releasesUrl })).path).toBe(path);
  });
});

test("libraries that were unpacked beside a program are found by it", async () => {
  const cache = tempFolder("bin");
  fakeServer(join(cache, "debian-redis-server/usr/bin/redis-server"), "Redis server v=7.0.15");
  const libraries = join(cache, "debian-redis-server/usr/lib/x86_64-linux-gnu");
  mkdirSync(libraries, { recursive: true });
  expect((await findRedisServer({ commands: [], cache })).env).toEqual({ LD_LIBRARY_PATH: libraries });
});

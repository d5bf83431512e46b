import { expect, test } from "vitest";
import { connectForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { keepRawStream } from "./raw-stream.ts";

test("streams are made on a server that somebody named, and looked for on any other", async () => {
  const server = await natsForTest();
  const { nc, jsm } = await connectForTest(server);
  const open = (pointedAt: boolean) => keepRawStream({ nc, config, log: silent, pointedAt });
  const config = { ...defaultLimits, NATS_URL: server.url };
  await expect(open(false)).rejects.toThrow(
    `There is no stream CASINO_RAW at ${server.url}, which NATS_URL did not name`,
  );
  expect(await jsm.streams.names().next()).toEqual([]);
  await open(true);
  await open(false);
  expect((await jsm.streams.info("CASINO_RAW")).config.name).toBe("CASINO_RAW");
});

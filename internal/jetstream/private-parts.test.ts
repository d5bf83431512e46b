import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AckPolicy } from "@nats-io/jetstream";
import { headers } from "nats";
import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { brokerForTest } from "../../test/harness/broker.ts";
import { OutgoingHeaders } from "./wire-headers.ts";

// What is relied on of the NATS packages that their published types do not show. A new version is taken by hand, and this
// tells what of it is gone.

const { nc, jsm } = await brokerForTest();

test("the packages are of exact versions", () => {
  const versions = Object.entries(manifest.dependencies).filter(([name]) => /nats/.test(name));
  expect(versions.map(([name]) => name)).toEqual(["@nats-io/jetstream", "@nats-io/kv", "nats"]);
  for (const [, version] of versions) expect(version).toMatch(/^(npm:.*@)?\d+\.\d+\.\d+$/);
});

test("a connection has the part that sends bytes as they are, and counts them", () => {
  expect(nc).toMatchObject({
    protocol: {
      listeners: expect.any(Array),
      outMsgs: expect.any(Number),
      outBytes: expect.any(Number),
      noMorePublishing: false,
      sendCommand: expect.any(Function),
    },
  });
});

test("a message knows its size on the wire, and one of JetStream has the message it was made of", async () => {
  await jsm.streams.add({ name: "PARTS", subjects: ["parts"] });
  const subscription = nc.subscribe("parts", { max: 1 });
  const given = headers();
  given.set("A", "b");
  nc.publish("parts", "body", { headers: given });
  const bytes = "parts".length + given.toString().length + "body".length;
  for await (const message of subscription)
    expect((message as never as { size(): number }).size()).toBe(bytes);

  await jsm.consumers.add("PARTS", { name: "parts", ack_policy: AckPolicy.Explicit });
  const consumer = await jsm.jetstream().consumers.get("PARTS", "parts");
  expect(await consumer.next()).toMatchObject({ msg: { subject: "parts", size: expect.any(Function) } });
});

test("publishing asks nothing of headers but their bytes", async () => {
  const subscription = nc.subscribe("headers", { max: 1 });
  const given = new OutgoingHeaders();
  given.add("A", "b");
  nc.publish("headers", "", { headers: given.forPublish });
  for await (const message of subscription) expect(message.headers?.get("A")).toBe("b");
});

test("nothing else looks behind a type", () => {
  const root = join(import.meta.dirname, "../..");
  const files = globSync("{internal,cmd}/**/*.ts", {
    cwd: root,
    exclude: ["**/*.test.ts", "**/*.fixture.ts"],
  });
  const behind = files.filter((file) => readFileSync(join(root, file), "utf8").includes("as unknown as"));
  expect(behind.sort()).toEqual([
    "internal/http/parameters.ts", // of a schema
    "internal/jetstream/wire-headers.ts",
    "internal/jetstream/wire-writer.ts",
  ]);
});

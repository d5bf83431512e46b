import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { type ConfigDrift, ConfigDriftWatch } from "./config-drift.ts";

const nothing: ConfigDrift = { found: [], unseen: [] };

test("each warning is logged once, for as long as it stays, and a server that is away hides no other's", async () => {
  const lines: { level: number; msg: string }[] = [];
  const log = pino({ level: "info" }, { write: (line) => lines.push(JSON.parse(line)) });
  let broker: ConfigDrift | undefined = nothing;
  let database = nothing;
  const look = async () => {
    if (broker === undefined) throw new Error("away");
    return broker;
  };
  const watch = new ConfigDriftWatch([look, async () => database], log);
  onTestFinished(() => watch.close());
  const warned = () => lines.filter(({ level }) => level === 40).map(({ msg }) => msg);
  await watch.look();
  expect(watch.warnings).toEqual([]);

  broker = { found: ["It drops messages."], unseen: ["the account: not permitted"] };
  await watch.look();
  await watch.look();
  expect(watch.warnings).toEqual(["It drops messages."]);
  expect(warned()).toEqual(["It drops messages."]);
  expect(lines.map(({ msg }) => msg)).toContain("cannot look for config drift: the account: not permitted");
  expect(lines).toHaveLength(2);

  broker = undefined;
  database = { ...nothing, found: ["It does not sync."] };
  await watch.look();
  expect(watch.warnings).toEqual(["It drops messages.", "It does not sync."]);

  broker = nothing;
  await watch.look();
  expect(watch.warnings).toEqual(["It does not sync."]);
  broker = { ...nothing, found: ["It drops messages."] };
  await watch.look();
  expect(warned()).toEqual(["It drops messages.", "It does not sync.", "It drops messages."]);
});

import { expect, test } from "vitest";
import { buildPicture } from "../../internal/overview/picture.ts";
import { statusOf, workOf } from "../../internal/overview/status.fixture.ts";
import { viewLines } from "./lines.ts";

const layout = [
  { name: "currency", takesFrom: "raw" },
  { name: "description", takesFrom: "profiled" },
];
const work = workOf({ rate: 12_345, p99_ms: 1_234, in_flight: 4_096, dead_letters: 12_345 });
const status = statusOf("enricher", { work: { currency: work, description: work } });
const look = (broker: string | undefined) => {
  const heard = [{ status, silentMs: broker === undefined ? 0 : 9_000, isSilent: broker !== undefined }];
  const picture = buildPicture(layout, heard, undefined);
  return viewLines({ at: new Date(0), picture, broker, figures: undefined }, "nats://here");
};

test("on 80 columns one sees up to what was set aside, of a busy pipeline", () => {
  const [, , head = "", , currency = ""] = look(undefined).split("\n");
  expect(head.slice(0, 80)).toContain("set aside");
  expect(currency.slice(0, 80)).toMatch(/^currency +running +12345 +1234 +12345\b/);
});

test("a service that does not run is named once, with how it is started", () => {
  const lines = look(undefined).split("\n");
  expect(lines.filter((line) => line.includes("does not run"))).toEqual(
    ["gateway", "materializer", "logger", "archiver"].map((service) =>
      expect.stringMatching(new RegExp(`^${service} +does not run: npm run ${service}$`)),
    ),
  );
});

test("without NATS nothing is said of the services, which may well run", () => {
  const text = look("NATS is away");
  expect(text).toContain("NATS: NATS is away");
  expect(text).toMatch(/^currency +not known/m);
  expect(text).not.toMatch(/NOT RUNNING|SILENT|does not run|No service reports/);
});

test("what is wrong is read to its end on a narrow terminal", () => {
  const problem = "postgres: Postgres is away: it does not answer in time, and rows wait until it is back";
  const archiver = {
    status: statusOf("archiver", { ready: false, problems: [problem] }),
    silentMs: 0,
    isSilent: false,
  };
  const picture = buildPicture(layout, [archiver], undefined);
  const text = viewLines(
    { at: new Date(0), picture, broker: undefined, figures: undefined },
    "nats://here",
    60,
  );
  const lines = text.split("\n");
  const first = lines.findIndex((line) => line.includes("postgres: Postgres"));
  const sentence = lines.slice(first, first + 3).map((line) => line.slice("materializer  ".length));
  expect(lines[first]).toMatch(/^archiver {6}postgres/);
  expect(sentence.filter((line) => line.length > 0).join(" ")).toBe(problem);
  for (const line of lines.slice(first, first + 3)) expect(line.length).toBeLessThanOrEqual(60);
});

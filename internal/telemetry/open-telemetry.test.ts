import { createServer } from "node:http";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { readConfig } from "../service/config.ts";
import { Traces } from "./open-telemetry.ts";
import { openTraces, traceVariables } from "./traces.ts";

const subject = "casino.event.raw.casino";
const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
/** A URL on which nothing listens. */
const endpoint = "http://127.0.0.1:9";
const tracesOf = (sampler: string, share: number) =>
  new Traces({ service: "test", endpoint, sampler, share, log: silent });

describe("traces", () => {
  test("are off, and their libraries not loaded, without an endpoint", async () => {
    expect(
      await openTraces({
        name: "test",
        config: readConfig(traceVariables, {}, {}),
        log: silent,
        onClose: expect.fail,
      }),
    ).toBeUndefined();
  });

  test.each([
    ["parentbased_always_on", 1, ["01", "01", undefined]],
    ["parentbased_always_off", 1, ["00", "01", undefined]],
    ["parentbased_traceidratio", 0, ["00", "01", undefined]],
    ["parentbased_traceidratio", 1, ["01", "01", undefined]],
    ["traceidratio", 0, ["00", undefined, undefined]],
    ["always_on", 1, ["01", "01", "01"]],
  ])("by %s of %d are sampled as it says: %j", async (sampler, share, expected) => {
    const traces = tracesOf(sampler, share);
    const flagOf = (flags: string) => {
      const { traceparent } = traces.request(subject, `${given}-${flags}`);
      // An event that is not sampled keeps its traceparent.
      return traceparent === `${given}-${flags}` ? undefined : traceparent?.slice(-2);
    };
    expect([traces.send(subject).slice(-2), flagOf("01"), flagOf("00")]).toEqual(expected);
    await traces.close();
  });

  test("that begin with a request and are not sampled leave its events without one of their own", async () => {
    const traces = tracesOf("parentbased_always_off", 1);
    expect(traces.request(subject, undefined).traceparent).toBeUndefined();
    await traces.close();
  });

  test("say once that the collector is away, hold up nothing, and say when it is back", async () => {
    const lines: { readonly level: number; readonly msg: string }[] = [];
    const log = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line)) });
    let status = 400;
    const collector = createServer((request, response) => {
      request.resume();
      response.writeHead(status, { "content-type": "application/json" }).end("{}");
    });
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
    const address = collector.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const traces = new Traces({
      ...{ service: "test", sampler: "always_on", share: 1, log, delayMs: 5 },
      endpoint: `http://user:secret@127.0.0.1:${port}`,
    });
    const said = (text: string) => lines.filter(({ msg }) => msg.includes(text)).length;
    const exported = () => {
      traces.send(subject);
      return true;
    };
    await waitFor(() => exported() && said("does not accept traces") === 1);
    status = 200;
    await waitFor(() => exported() && said("accepts traces again") === 1);
    status = 400;
    await waitFor(() => exported() && said("does not accept traces") === 2);
    collector.close();
    collector.closeAllConnections();
    const began = performance.now();
    await traces.close();
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });
});

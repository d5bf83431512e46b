import { fastify } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { DurationHistogram } from "./duration-histogram.ts";
import { Metrics } from "./metrics.ts";
import { serveMetrics } from "./serve-metrics.ts";
import { SizeHistogram } from "./size-histogram.ts";

/** The lines of Croupier's own metrics. */
async function ours(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.text()).split("\n").filter((line) => /^(# TYPE )?croupier_/.test(line));
}

test("metrics are what their sources say at each scrape", async () => {
  const metrics = new Metrics(silent);
  let value = 1;
  metrics.counter("croupier_things_total", "Things.", () => [{ labels: { kind: 'a "b"' }, value }]);
  metrics.gauge("croupier_level", "A level.", async () => [{ value: value / 2 }]);
  expect(await ours(metrics)).toEqual([
    "# TYPE croupier_things_total counter",
    'croupier_things_total{kind="a \\"b\\""} 1',
    "# TYPE croupier_level gauge",
    "croupier_level 0.5",
  ]);
  value = 3;
  expect(await ours(metrics)).toContain("croupier_level 1.5");
  expect(await metrics.text()).toContain("nodejs_eventloop_lag_p99_seconds");
});

test("one that cannot be told is left out, and the others are told", async () => {
  const metrics = new Metrics(silent);
  metrics.gauge("croupier_away", "Away.", () => {
    throw new Error("it is away");
  });
  metrics.gauge("croupier_here", "Here.", () => [{ value: 1 }]);
  expect((await ours(metrics)).filter((line) => !line.startsWith("#"))).toEqual(["croupier_here 1"]);
});

test("a histogram counts up to each end of a bucket", async () => {
  const [metrics, durations, sizes] = [new Metrics(silent), new DurationHistogram(), new SizeHistogram()];
  for (const ms of [0.5, 3, 70_000]) durations.addMs(ms);
  for (const size of [1, 2, 3, 256, 1_025]) sizes.add(size);
  metrics.histogram("croupier_time_seconds", "Time.", () => [durations.distribution]);
  metrics.histogram("croupier_sizes", "Sizes.", () => [{ ...sizes.distribution, labels: { work: "fold" } }]);
  const lines = await ours(metrics);
  for (const line of [
    'croupier_time_seconds_bucket{le="0.001"} 1',
    'croupier_time_seconds_bucket{le="0.002"} 1',
    'croupier_time_seconds_bucket{le="0.004"} 2',
    'croupier_time_seconds_bucket{le="65.536"} 2',
    'croupier_time_seconds_bucket{le="+Inf"} 3',
    "croupier_time_seconds_count 3",
    'croupier_sizes_bucket{work="fold",le="1"} 1',
    'croupier_sizes_bucket{work="fold",le="4"} 3',
    'croupier_sizes_bucket{work="fold",le="256"} 4',
    'croupier_sizes_bucket{work="fold",le="1024"} 4',
    'croupier_sizes_bucket{work="fold",le="+Inf"} 5',
    'croupier_sizes_sum{work="fold"} 1287',
  ])
    expect(lines).toContain(line);
});

test("requests are counted by route, and paths that somebody makes up are not", async () => {
  const [app, metrics] = [fastify(), new Metrics(silent)];
  onTestFinished(() => app.close());
  serveMetrics(app, metrics);
  app.get("/things/:id", async () => ({}));
  for (const url of ["/things/1", "/things/2", "/made-up", "/other"]) await app.inject(url);
  const { headers, body } = await app.inject("/metrics");
  expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  const counts = body.match(/^croupier_http_request_duration_seconds_count.*/gm);
  expect(counts).toEqual([
    'croupier_http_request_duration_seconds_count{method="GET",route="/things/:id",status="200"} 2',
    'croupier_http_request_duration_seconds_count{method="GET",route="none",status="404"} 2',
  ]);
});

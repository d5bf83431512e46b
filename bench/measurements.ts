import { archive } from "./archive.ts";
import { deliveries } from "./deliveries.ts";
import { durability } from "./durability.ts";
import { endToEndArrays, endToEndOneByOne } from "./end-to-end.ts";
import { gateway } from "./gateway.ts";
import { growth } from "./growth.ts";
import { killedEnricher, latency } from "./latency.ts";
import type { Measurement } from "./measurement.ts";
import { peers } from "./peers/peers.ts";
import { publishing } from "./publishing.ts";
import { rollingRestart } from "./rolling-restart.ts";
import { usualWays } from "./usual-ways.ts";

/** Everything that can be measured, in the order of the report. */
export const measurements: readonly Measurement[] = [
  publishing,
  endToEndOneByOne,
  endToEndArrays,
  usualWays,
  peers,
  gateway,
  archive,
  deliveries,
  latency,
  killedEnricher,
  rollingRestart,
  durability,
  growth,
];

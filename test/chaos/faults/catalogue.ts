import { clusterFaults } from "./cluster.ts";
import type { Fault } from "./fault.ts";
import { fills } from "./fill.ts";
import { kills, outages } from "./kill.ts";
import { networkFaults } from "./network.ts";
import { pauses } from "./pause.ts";
import { ratesFaults, ratesOutage } from "./rates.ts";
import { sabotage } from "./sabotage.ts";

/** All faults that must do no harm. */
export const catalogue: readonly Fault[] = [
  ...kills,
  ...pauses,
  ...networkFaults,
  ...ratesFaults,
  ...outages,
  ratesOutage,
  ...fills,
  ...clusterFaults,
];

/** All faults that `--faults` accepts. */
export const named: readonly Fault[] = [...catalogue, ...sabotage];

import { seededRandom } from "../../internal/generator/random.ts";
import { catalogue } from "./faults/catalogue.ts";
import type { Fault } from "./faults/fault.ts";
import type { ChaosOptions } from "./options.ts";
import type { Topology } from "./stack.ts";

/** The faults of one system, in the order in which they come. */
export interface Act {
  readonly topology: Topology;
  readonly faults: readonly Fault[];
}

const topologies: readonly Topology[] = ["single", "small-disk", "cluster"];

/** The order of the faults: the given ones as given, otherwise all, shuffled by the seed. */
export function planOf({ seed, faults }: Pick<ChaosOptions, "seed" | "faults">): readonly Act[] {
  const order = faults.length > 0 ? faults : shuffled(catalogue, seededRandom(seed ^ 0xacc));
  return topologies
    .map((topology) => ({ topology, faults: order.filter((fault) => fault.topology === topology) }))
    .filter((act) => act.faults.length > 0);
}

/** Fisher-Yates shuffle. */
function shuffled<T>(list: readonly T[], random: () => number): readonly T[] {
  const rest = [...list];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(Math.floor(random() * rest.length), 1));
  return result;
}

/** A version of nats-server. */
export type Version = readonly [major: number, minor: number, patch: number];

/** Whether a version of nats-server, such as `2.10.5` or `nats-server v2.12.15`, is older; an unknown one is. */
export function isOlder(version: string, least: Version): boolean {
  const numbers = (/(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
  const differing = least.findIndex((number, index) => numbers[index] !== number);
  return differing >= 0 && (numbers[differing] ?? 0) < (least[differing] ?? 0);
}

/**
 * From here on a full queue refuses what does not fit. Before, a message that just fits can push out the oldest ones
 * (nats-server issue 4771).
 */
export const refusesWhenFull: Version = [2, 10, 5];

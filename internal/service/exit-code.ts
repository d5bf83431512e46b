/**
 * How every process of ours ends. 69, 70 and 78 are EX_UNAVAILABLE, EX_SOFTWARE and EX_CONFIG of sysexits.h.
 * - `failed`: it did not work; what it was asked for cannot be done, or not all of it.
 * - `unavailable`: a server is away, or does not let us in. The same again later may work.
 * - `software`: a bug of ours, or a step that does not come back.
 * - `config`: the command line or the environment is wrong. The same again will not work.
 */
export const exitCode = { ok: 0, failed: 1, unavailable: 69, software: 70, config: 78 } as const;

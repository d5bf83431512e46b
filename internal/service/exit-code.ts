/**
 * How every process of ours ends. 69, 70 and 78 are EX_UNAVAILABLE, EX_SOFTWARE and EX_CONFIG of sysexits.h.
 * - `failed`: the work could not be done, or not all of it.
 * - `unavailable`: a server is away. Trying again later may help.
 * - `software`: a bug of ours, or a step that does not return.
 * - `config`: the command line or the environment is wrong, or a server refuses its credentials. Trying again does not help.
 */
export const exitCode = { ok: 0, failed: 1, unavailable: 69, software: 70, config: 78 } as const;

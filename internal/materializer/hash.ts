/** Random in every process, so that nobody can choose ids that all land in one place of a table. */
const seed = Math.floor(Math.random() * 2 ** 32);

/**
 * A 32-bit hash of an integer from 0 to 2^53-1, for tables whose size is a power of two. The mixing steps are the
 * finalizer of MurmurHash3 (Appleby, public domain), applied to the upper and to the lower half.
 * @param salt any 32-bit integer; equal values under different salts land in different places.
 */
export function hashInteger(value: number, salt = 0): number {
  const low = value | 0;
  const high = (value / 2 ** 32) | 0;
  return mix(mix(mix(seed ^ salt) ^ high) ^ low) >>> 0;
}

/** Mixes 32 bits; no two values become the same one. */
export function mix(bits: number): number {
  let h = bits;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

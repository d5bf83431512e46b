/** Bounds a map or a set that is used as a memory: what was added first is forgotten first. */
export function forgetOldest(memory: Map<unknown, unknown> | Set<unknown>, most: number): void {
  for (const oldest of memory.keys()) {
    if (memory.size <= most) return;
    memory.delete(oldest);
  }
}

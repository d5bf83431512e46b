// Postgres manual, appendix A.
export const foreignKeyViolation = "23503";
export const uniqueViolation = "23505";

/** The code of five letters by which Postgres says what is wrong; undefined for what is not from there. */
export function sqlState(err: unknown): string | undefined {
  const code = err instanceof Error && "code" in err ? err.code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

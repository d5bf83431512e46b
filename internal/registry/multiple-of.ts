import type { Ajv } from "ajv";

/**
 * Whether a number is a multiple of another, as decimals: 19.99 is a multiple of 0.01, though the nearest doubles are
 * not. Exact for every finite double.
 */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const [a, b] = [decimalOf(value), decimalOf(divisor)];
  const power = Math.min(a.exponent, b.exponent);
  return (
    (a.digits * 10n ** BigInt(a.exponent - power)) % (b.digits * 10n ** BigInt(b.exponent - power)) === 0n
  );
}

// The shortest text that parses to the same double, as in JSON.
const form = /^(-?\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;

function decimalOf(value: number): { readonly digits: bigint; readonly exponent: number } {
  const [, whole = "0", fraction = "", exponent = "0"] = form.exec(String(value)) ?? [];
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

/** Makes an ajv judge the keyword `multipleOf` by decimals; by doubles it refuses 19.99 as a multiple of 0.01. */
export function judgeMultiplesExactly(ajv: Ajv): void {
  ajv.removeKeyword("multipleOf");
  ajv.addKeyword({
    keyword: "multipleOf",
    type: "number",
    schemaType: "number",
    compile: (divisor: number) => (value: number) => isMultipleOf(value, divisor),
    error: { message: ({ schema }) => `must be multiple of ${Number(schema)}` },
  });
}

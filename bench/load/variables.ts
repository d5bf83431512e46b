/** A variable of a load program. @throws Error if it is missing, because only the bench starts such programs */
export function text(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this program is started by npm run bench`);
  return value;
}

export function number(name: string): number {
  return Number(text(name));
}

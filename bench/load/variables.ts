/** What a load program was started with. @throws Error when it is missing: a program of the bench is started by the bench */
export function text(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this program is started by npm run bench`);
  return value;
}

export function number(name: string): number {
  return Number(text(name));
}

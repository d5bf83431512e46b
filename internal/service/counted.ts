/**
 * How many of something, for people: `1 event`, `2,000 events`.
 * @param one what one of them is called @param many where more of them do not just get an s
 */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

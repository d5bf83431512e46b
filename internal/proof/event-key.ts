/** Which event a message is: unique for each event, however often it was sent. */
export interface EventKey {
  readonly client: string;
  readonly source: string;
  readonly id: number;
}

const form = /^([a-z0-9-]{1,40}):([A-Za-z0-9._-]{1,64}):([1-9]\d{0,15})(?::|$)/;

/** The event that a message id of the pipeline names, `<client>:<source>:<id>:<stage>`; undefined for any other text. */
export function eventOf(messageId: string): EventKey | undefined {
  const [, client, source, text] = form.exec(messageId) ?? [];
  const id = Number(text);
  if (client === undefined || source === undefined || !Number.isSafeInteger(id)) return undefined;
  return { client, source, id };
}

export function keyText({ client, source, id }: EventKey): string {
  return `${client}:${source}:${id}`;
}

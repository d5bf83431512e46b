import { isClient, isSource } from "../casino/event.ts";

/** Which event a message is: unique for each event, however often it was sent. */
export interface EventKey {
  readonly client: string;
  readonly source: string;
  readonly id: number;
}

/** The key of these three; undefined when one of them cannot be part of an event's name. */
export function eventKey(client: string, source: string, id: number): EventKey | undefined {
  return isClient(client) && isSource(source) && Number.isSafeInteger(id) && id > 0
    ? { client, source, id }
    : undefined;
}

/** `<client>:<source>:<id>` */
export function keyText({ client, source, id }: EventKey): string {
  return `${client}:${source}:${id}`;
}

/** `<client>:<source>:<id>:<stage>`: the message id of an event on its way to a stage. */
export function eventMessageId({ client, source, id }: EventKey, stage: string): string {
  return `${client}:${source}:${id}:${stage}`;
}

/** `<message id>:replay:<letter>:<token>`: of a letter that is sent again past the first stage. Nobody can guess it. */
export function replayMessageId(key: EventKey, stage: string, letter: number, token: string): string {
  return `${eventMessageId(key, stage)}:replay:${letter}:${token}`;
}

const form = /^([a-z0-9-]{1,40}):([A-Za-z0-9._-]{1,64}):([1-9]\d{0,15})(?::|$)/;

/** The event that a text begins with, a message id of the pipeline for one; undefined for any other text. */
export function eventOf(text: string): EventKey | undefined {
  const [, client = "", source = "", id] = form.exec(text) ?? [];
  return eventKey(client, source, Number(id));
}

import { isClient, isSource } from "../casino/event.ts";

/** Identifies an event, however often it is sent. */
export interface EventKey {
  readonly client: string;
  readonly source: string;
  readonly id: number;
}

/** The key of these three; undefined when one of them is invalid. */
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

/** `<message id>:replay:<letter>:<token>`: the id of a letter replayed to a later stage. Nobody can guess it. */
export function replayMessageId(key: EventKey, stage: string, letter: number, token: string): string {
  return `${eventMessageId(key, stage)}:replay:${letter}:${token}`;
}

const form = /^([a-z0-9-]{1,40}):([A-Za-z0-9._-]{1,64}):([1-9]\d{0,15})(?::|$)/;

/** The event that a text begins with, such as a message id of the pipeline; undefined for any other text. */
export function eventOf(text: string): EventKey | undefined {
  const [, client = "", source = "", id] = form.exec(text) ?? [];
  return eventKey(client, source, Number(id));
}

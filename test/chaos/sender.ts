import type { SenderName } from "./events.ts";

/** A producer that sends its script, each message until it is accepted. */
export interface Sender {
  readonly name: SenderName;
  /** Messages begun and not accepted yet. */
  readonly unsettled: number;
  /** Begins up to `count` more messages, fewer if many are unsettled. @returns how many */
  offer(count: number): number;
  close(): void;
}

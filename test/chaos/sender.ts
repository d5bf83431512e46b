import type { SenderName } from "./events.ts";

/** A producer that sends what its script says, each message until it is accepted. */
export interface Sender {
  readonly name: SenderName;
  /** Messages taken up and not yet accepted. */
  readonly unsettled: number;
  /** Takes up to `count` more messages, fewer when it has many unsettled; how many it took. */
  offer(count: number): number;
  close(): void;
}

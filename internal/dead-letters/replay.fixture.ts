import { beforeEach } from "vitest";
import { defaultLimits, silent, streamsForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { PublishError } from "../jetstream/pub-ack.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import type { Letter } from "../messages/letter.ts";
import type { ReplayOptions } from "./replay.ts";
import { LetterStore } from "./store.ts";

/** A broker for one test file: each test starts with empty streams. */
export async function lettersForTest() {
  const { nc, jsm } = await streamsForTest();
  const publisher = new Publisher(nc);
  const store = new LetterStore(nc);
  const options: ReplayOptions = {
    store,
    publish: (message) => publisher.publish(message),
    log: silent,
    by: "test",
  };
  /** Publishes all but what is for the ledger, which is full. */
  const refusingLedger: ReplayOptions["publish"] = (message) =>
    message.subject.startsWith("casino.ledger.")
      ? Promise.reject(new PublishError("maximum messages exceeded", 10077))
      : publisher.publish(message);

  beforeEach(() => ensureStreams(nc, ["raw", "checked", "apart", "final"], defaultLimits));
  const stateOf = async (stream: string) => (await jsm.streams.info(stream)).state;
  const count = async (stream: string) => (await stateOf(stream)).messages;

  /** The letter of this number, once it is there. */
  const letterOf = (seq: number): Promise<Letter> =>
    waitFor(() => store.read(seq), { what: `letter ${seq}` });
  return { nc, jsm, publisher, store, options, refusingLedger, stateOf, count, letterOf };
}

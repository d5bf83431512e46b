import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";

/**
 * Does with its arguments what the nats CLI does, as far as the docs use it, against the server in NATS_URL. For machines
 * without that CLI, which neither npm nor Debian has.
 */
const [verb = "", ...rest] = process.argv.slice(2);
const nc = await connect({
  servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222",
  ignoreClusterUpdates: true,
});
const say = (text: string) => process.stdout.write(`${text}\n`);

const verbs: Record<string, () => Promise<void>> = {
  pub: async () => {
    const [subject = "", payload = ""] = rest;
    nc.publish(subject, payload);
    await nc.flush();
  },
  req: async () => {
    const [subject = "", payload = ""] = rest;
    say((await nc.request(subject, payload)).string());
  },
  sub: async () => {
    const [subject = ""] = rest;
    process.once("SIGINT", () => void nc.drain());
    for await (const message of nc.subscribe(subject)) say(`${message.subject}\n${message.string()}`);
  },
  stream: async () => {
    const [, name = ""] = rest;
    say(JSON.stringify((await (await jetstreamManager(nc)).streams.info(name)).state));
  },
  consumer: async () => {
    const [, stream = ""] = rest;
    for await (const info of (await jetstreamManager(nc)).consumers.list(stream)) say(JSON.stringify(info));
  },
  micro: async () => {
    for await (const { data } of await nc.requestMany("$SRV.PING", "", { maxWait: 1_000 }))
      say(Buffer.from(data).toString());
  },
};
const run = verbs[verb];
if (run === undefined) throw new Error(`this stand-in for the nats CLI does not know "${verb}"`);
await run();
if (!nc.isClosed()) await nc.close();

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../internal/generator/random.ts";
import { waitFor } from "../harness/wait-for.ts";
import { AggregatesCheck } from "./aggregates-check.ts";
import { ArchiveCheck } from "./archive-check.ts";
import type { SenderName } from "./events.ts";
import type { FaultContext } from "./faults/fault.ts";
import type { Findings } from "./findings.ts";
import { HttpSender } from "./http-sender.ts";
import { Ledger } from "./ledger.ts";
import { LettersCheck } from "./letters-check.ts";
import { Load } from "./load.ts";
import { NatsSender } from "./nats-sender.ts";
import type { ChaosOptions } from "./options.ts";
import type { Act } from "./plan.ts";
import { proveCheck } from "./prove-check.ts";
import { playRound, type RoundResult } from "./round.ts";
import { startStack } from "./stack.ts";

const senders = {
  nats: { client: "casino", source: "chaos-nats", index: 0 },
  json: { client: "casino", source: "chaos-http", index: 1 },
  ndjson: { client: "acme-casino", source: "chaos-lines", index: 2 },
} as const satisfies Record<string, SenderName>;

/** What an act leaves beside its rounds. */
export interface ActResult {
  readonly serverVersion: string;
  readonly events: number;
  readonly again: number;
  readonly invalid: number;
  readonly refused: number;
  /** Events that CASINO_EVENTS holds beyond the accepted ones: second copies, which its readers have to know. */
  readonly copiesInLog: number;
  readonly loggedAgain: number;
}

/** Plays the faults of one system, one round each; goes through them again until `until` (performance.now()) is past. */
export async function playAct(
  { topology, faults }: Act,
  options: ChaosOptions,
  run: {
    readonly folder: string;
    readonly started: number;
    readonly until: number;
    readonly eventsPerFault: number;
    readonly onRound: (result: RoundResult) => void;
  },
): Promise<ActResult> {
  const { seed } = options;
  const ledger = new Ledger(Object.values(senders));
  const folder = join(run.folder, topology);
  mkdirSync(folder, { recursive: true });
  await using stack = await startStack({
    topology,
    folder,
    natsServer: options.natsServer,
    queueMaxBytes: options.queueMaxBytes,
    events: mostEvents(faults.length * run.eventsPerFault, options),
    onLine: (line) => ledger.log(idIn(line)),
  });
  const gateway = async (name: SenderName) => ({
    url: stack.service("gateway").url,
    key: await stack.keyFor(name.client, name.source),
  });
  const load = new Load(
    [
      new NatsSender(senders.nats, seed, ledger, stack.producer),
      new HttpSender(senders.json, seed, ledger, { ...(await gateway(senders.json)), form: "json" }),
      new HttpSender(senders.ndjson, seed, ledger, { ...(await gateway(senders.ndjson)), form: "ndjson" }),
    ],
    ledger,
    options.rate,
    seed,
  );
  const archive = new ArchiveCheck(stack.postgres.url, seed);
  const aggregates = new AggregatesCheck(stack.service("materializer").url, seed);
  const letters = new LettersCheck(stack.jsm, Object.values(senders), seed);
  const check = async () => [
    await archive.check(ledger),
    await aggregates.check(ledger),
    await letters.check(ledger),
    await printed(ledger),
    await proveCheck({
      NATS_URL: stack.brokers.map(({ url }) => url).join(),
      DATABASE_URL: stack.postgres.url,
    }),
  ];
  const random = seededRandom(seed ^ 0xfa17);
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const context: FaultContext = {
    stack,
    load,
    ledger,
    between,
    pick: (list) => list[between(0, list.length - 1)] ?? unpickable(),
    outageMs: options.outageMs,
    pauseMs: options.pauseMs,
  };
  try {
    do {
      for (const fault of faults) {
        const round = { ...context, fault, events: run.eventsPerFault, runStarted: run.started, check };
        run.onRound(await playRound(round));
      }
    } while (performance.now() < run.until);
    const { state } = await stack.jsm.streams.info("CASINO_EVENTS");
    return {
      serverVersion: stack.nc.info?.version ?? "?",
      events: ledger.accepted,
      ...ledger.traffic,
      copiesInLog: state.last_seq - ledger.accepted,
      loggedAgain: ledger.loggedAgain,
    };
  } finally {
    load.close();
  }
}

/** More than an act can come to: a fault may last longer than its events, or flood the queues. */
function mostEvents(planned: number, { minutes, rate }: ChaosOptions): number {
  return 2 * planned + 100_000 + minutes * 60 * rate * 2;
}

/** Every event has been printed by the logger; some twice, where it was killed. */
async function printed(ledger: Ledger): Promise<Findings> {
  const isAll = () => ledger.logged === ledger.accepted;
  await waitFor(isAll, { timeout: 30_000 }).catch(() => undefined);
  if (isAll()) return { lost: 0, doubled: 0, wrong: [] };
  return { lost: 0, doubled: 0, wrong: [`the logger printed ${ledger.logged} of ${ledger.accepted} events`] };
}

function idIn(line: string): number {
  return Number(/^\{"id":(\d+),/.exec(line)?.[1]);
}

function unpickable(): never {
  throw new Error("there is nothing to pick from");
}

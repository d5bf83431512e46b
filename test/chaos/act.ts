import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../internal/generator/random.ts";
import { waitFor } from "../harness/wait-for.ts";
import { AggregatesCheck } from "./aggregates-check.ts";
import { ArchiveCheck } from "./archive-check.ts";
import type { SenderName } from "./events.ts";
import type { FaultContext } from "./faults/fault.ts";
import type { Findings } from "./findings.ts";
import { isFromMallory, mallory } from "./hostile/attacks.ts";
import { HostileCheck } from "./hostile/check.ts";
import { Mallory, type Sent } from "./hostile/mallory.ts";
import { HttpSender } from "./http-sender.ts";
import { Ledger } from "./ledger.ts";
import { type Letter, Letters } from "./letters.ts";
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

/** The result of an act, besides its rounds. */
export interface ActResult {
  readonly serverVersion: string;
  readonly events: number;
  readonly again: number;
  readonly invalid: number;
  readonly refused: number;
  /** Events in CASINO_EVENTS beyond the accepted ones: copies, which its readers must recognize. */
  readonly copiesInLog: number;
  readonly loggedAgain: number;
  /** Undefined without a hostile producer. */
  readonly hostile: HostileResult | undefined;
}

/** The hostile producer's messages, and what they became. */
export interface HostileResult {
  readonly sent: readonly Sent[];
  readonly finals: number;
  readonly letters: number;
}

/** The hostile producer's share of the load: enough of every attack in each round, without a flood of dead letters. */
const hostileShare = 1 / 40;

/** Runs the faults of one system, one round each, and repeats them until the time `until` (performance.now()). */
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
    // The hostile producer's events have the ids of honest ones.
    onLine: (line) => void (isFromMallory(line) || ledger.log(idIn(line))),
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
  const hostile =
    stack.hostile === undefined || !options.hostile
      ? undefined
      : new Mallory(stack.hostile, seed, options.rate * hostileShare, Object.values(senders));
  const others = hostile === undefined ? [] : [mallory];
  const archive = new ArchiveCheck(stack.postgres.url, seed, others);
  const materializer = stack.service("materializer").url;
  const aggregates = new AggregatesCheck(materializer, seed, others);
  const letters = new LettersCheck(Object.values(senders), seed);
  const hers = new HostileCheck({ postgres: stack.postgres.url, materializer });
  const dead = new Letters(stack.jsm);
  const check = async () => {
    const news = await dead.news();
    const isHers = ({ client }: Letter) => hostile !== undefined && client === mallory;
    return [
      await archive.check(ledger),
      await aggregates.check(ledger),
      letters.check(
        ledger,
        news.filter((letter) => !isHers(letter)),
      ),
      ...(hostile === undefined ? [] : [await hers.check(hostile, news.filter(isHers))]),
      await printed(ledger),
      await proveCheck({ NATS_URL: stack.natsUrl, DATABASE_URL: stack.postgres.url }),
    ];
  };
  const random = seededRandom(seed ^ 0xfa17);
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const context: Omit<FaultContext, "killer"> = {
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
        const events = run.eventsPerFault;
        const round = { ...context, fault, events, runStarted: run.started, hostile, check };
        run.onRound(await playRound(round));
      }
    } while (performance.now() < run.until);
    const { state } = await stack.jsm.streams.info("CASINO_EVENTS");
    return {
      serverVersion: stack.nc.info?.version ?? "?",
      events: ledger.accepted,
      ...ledger.traffic,
      copiesInLog: state.last_seq - ledger.accepted - hers.finals,
      loggedAgain: ledger.loggedAgain,
      hostile: hostile && { sent: hostile.sent, finals: hers.finals, letters: hers.letters },
    };
  } finally {
    load.close();
    hostile?.close();
  }
}

/** An upper bound of an act's events: a fault may last longer than its events, or flood the queues. */
function mostEvents(planned: number, { minutes, rate }: ChaosOptions): number {
  return 2 * planned + 100_000 + minutes * 60 * rate * 2;
}

/** Checks that the logger has printed every event; it may print some twice when it is killed. */
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

import type { NatsConnection, Subscription } from "nats";
import { type Figures, readFigures } from "../../overview/figures.ts";
import { buildPicture } from "../../overview/picture.ts";
import { type Layout, QueueReader, type Queues } from "../../overview/queues.ts";
import { CountedRate, Series, thisSecond } from "../../overview/series.ts";
import { StatusBoard, statusSubjects } from "../../overview/status-board.ts";
import { reasonOf } from "../../service/log.ts";
import { serverSent, type Viewer, Viewers } from "./viewers.ts";

const everyMs = 1_000;
/** Clients whose figures are requested per second; if there are more, they take turns. */
const clientsAtOnce = 10;
const clientsEveryMs = 10_000;
const ratesEveryMs = 5_000;

export interface LiveOptions {
  readonly nc: NatsConnection;
  /** The steps of the pipeline, in order. */
  readonly layout: readonly Layout[];
  /** The ids of all clients. @throws Unavailable */
  readonly clients: () => Promise<readonly string[]>;
  readonly currentRates: () => Promise<RatesAtHand | undefined>;
}

interface RatesAtHand {
  readonly rates: ReadonlyMap<string, unknown>;
  readonly missing: ReadonlyMap<string, number>;
  /** Epoch ms. */
  readonly fetchedAt: number;
}

/** What is known of one client. */
interface Audience {
  readonly rate: CountedRate;
  figures: Figures | undefined;
}

/**
 * The page's data, composed once a second for all viewers: one frame for operators, one for each client that watches.
 * It asks JetStream and the materializer only while somebody watches. It always receives services' status messages, so
 * that a new viewer sees the last 15 minutes.
 */
export class Live {
  readonly viewers = new Viewers();
  readonly #options: LiveOptions;
  readonly #board = new StatusBoard();
  readonly #reader: QueueReader;
  readonly #rate = new Series();
  readonly #heard: Subscription;
  readonly #timer: NodeJS.Timeout;
  readonly #ofClients = new Map<string, Audience>();
  #figures: Figures | undefined;
  #queues: Queues | undefined;
  /** Why JetStream could not be asked. */
  #broker: string | undefined;
  #asking = false;
  #rates: RatesAtHand | undefined;
  #ratesAt = Number.NEGATIVE_INFINITY;
  #clients: readonly string[] = [];
  #clientsAt = Number.NEGATIVE_INFINITY;
  #turn = 0;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#reader = new QueueReader(options.nc, options.layout);
    this.#heard = options.nc.subscribe(statusSubjects, {
      callback: (err, message) => {
        if (err === null) this.#board.hear(message.subject, message.data);
      },
    });
    this.#timer = setInterval(() => this.#tick(), everyMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#heard.unsubscribe();
  }

  /** Sends a new viewer what the others already know. */
  welcome(viewer: Viewer): void {
    const until = thisSecond();
    const series = viewer.client === undefined ? this.#rate : this.#audience(viewer.client).rate;
    viewer.send(serverSent("history", JSON.stringify({ until, rates: series.values(until) })));
    void this.#ask().then(() => viewer.send(this.#frame(viewer.client)));
  }

  #tick(): void {
    const picture = buildPicture(this.#options.layout, this.#board.instances(), undefined);
    if (picture.steps.some(({ health }) => health !== "down")) this.#rate.put(thisSecond(), picture.rate);
    const { all } = this.viewers;
    if (all.length === 0) {
      this.#rest();
      return;
    }
    void this.#ask();
    const frames = new Map<string | undefined, string>();
    for (const { client, send } of all) {
      const frame = frames.get(client) ?? this.#frame(client);
      frames.set(client, frame);
      send(frame);
    }
  }

  /** Nobody watches: drops data that would be outdated for the next viewer. */
  #rest(): void {
    this.#queues = undefined;
    this.#figures = undefined;
    for (const audience of this.#ofClients.values()) audience.figures = undefined;
  }

  #frame(client: string | undefined): string {
    const shown = client === undefined ? this.#forOperators() : this.#forClient(client);
    return serverSent("frame", JSON.stringify({ at: Date.now(), second: thisSecond(), ...shown }));
  }

  #forOperators(): object {
    const instances = this.#board.instances();
    const picture = buildPicture(this.#options.layout, instances, this.#queues);
    // A NATS that hangs leaves requests without an answer for a while: all services are silent before that, this one
    // too.
    const isDeaf = instances.length > 0 && instances.every(({ isSilent }) => isSilent);
    const clients = this.#clients.flatMap((id) => {
      const { figures, rate } = this.#audience(id);
      return figures === undefined
        ? []
        : [{ id, events_total: figures.events_total, events_per_second: rate.last }];
    });
    return {
      rate: picture.rate,
      picture,
      broker: this.#broker ?? (isDeaf ? "no status arrives any more, not even this gateway's." : null),
      figures: this.#figures ?? null,
      clients,
      rates: this.#ratesShown(),
    };
  }

  #forClient(client: string): object {
    const { figures, rate } = this.#audience(client);
    const own = this.#queues?.letters.filter((one) => one.client === client);
    return {
      rate: rate.last,
      broker: this.#broker ?? null,
      figures: figures ?? null,
      letters: own?.reduce((sum, { count }) => sum + count, 0) ?? null,
    };
  }

  #ratesShown(): object | null {
    if (this.#rates === undefined) return null;
    const { fetchedAt, rates, missing } = this.#rates;
    return { age_ms: Date.now() - fetchedAt, currencies: rates.size, missing: [...missing.keys()] };
  }

  /** One round of requests at a time; a slow one delays the next. */
  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const watched = new Set(this.viewers.all.map(({ client }) => client));
      const isOperatorHere = watched.delete(undefined);
      if (isOperatorHere) for (const client of await this.#nextClients()) watched.add(client);
      await Promise.all([
        this.#askQueues(),
        ...(isOperatorHere ? [this.#askFigures(), this.#askRates()] : []),
        ...[...watched].map((client) => client !== undefined && this.#askFiguresOf(client)),
      ]);
    } finally {
      this.#asking = false;
    }
  }

  async #askQueues(): Promise<void> {
    try {
      this.#queues = await this.#reader.read();
      this.#broker = undefined;
    } catch (err) {
      this.#queues = undefined;
      this.#broker = reasonOf(err);
    }
  }

  async #askFigures(): Promise<void> {
    this.#figures = await readFigures(this.#options.nc);
  }

  async #askFiguresOf(client: string): Promise<void> {
    const audience = this.#audience(client);
    audience.figures = await readFigures(this.#options.nc, client);
    audience.rate.count(audience.figures?.events_total);
  }

  async #askRates(): Promise<void> {
    const now = performance.now();
    if (now - this.#ratesAt < ratesEveryMs) return;
    this.#ratesAt = now;
    this.#rates = await this.#options.currentRates();
  }

  async #nextClients(): Promise<readonly string[]> {
    const now = performance.now();
    if (now - this.#clientsAt >= clientsEveryMs) {
      this.#clientsAt = now;
      // While Postgres is away the clients known so far are still worth showing.
      this.#clients = await this.#options.clients().catch(() => this.#clients);
    }
    const { length } = this.#clients;
    const from = length === 0 ? 0 : this.#turn % length;
    this.#turn = from + clientsAtOnce;
    return [...this.#clients, ...this.#clients].slice(from, from + Math.min(clientsAtOnce, length));
  }

  #audience(client: string): Audience {
    const known = this.#ofClients.get(client);
    if (known !== undefined) return known;
    const audience = { rate: new CountedRate(), figures: undefined };
    this.#ofClients.set(client, audience);
    return audience;
  }
}

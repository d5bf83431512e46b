import { createHmac, randomBytes } from "node:crypto";
import { mix } from "./hash.ts";

/** Number of generations in the span: each event is remembered for the span and up to a twelfth more. */
const generations = 12;
/** Generation tags wrap around; 0 marks a free slot. */
const tags = 255;
const partitions = 256;
/** Partitions that each new generation clears of expired entries: all of them well before a tag is reused. */
const sweptAtOnce = 8;
const smallestSlots = 64;
const fullest = 0.75;
/** Each table differs a little in size from its neighbour, so that they do not all fill up at once. */
const afterRebuild = (partition: number): number => 0.5 + (0.15 * partition) / partitions;
/** Sources whose keys are cached; more only cost time. */
const mostSources = 2 ** 16;

interface FingerprintOptions {
  /** How long an event is remembered, by the stream's clock, in ms. */
  readonly spanMs: number;
  /** Most events remembered. Beyond that, new events within a span push out the oldest. */
  readonly most?: number;
}

/**
 * Which events (client, source, id) arrived within a span of time: 64 bits of a keyed hash each, in 11 to 16 bytes. Two
 * different events collide with a probability of 2^-64 per pair: once in some years of 35,000 events a second. Each
 * process draws its own key, so that no producer can choose ids that collide with another's.
 *
 * Time is measured by the events' stored times, so that a rebuild remembers the same. A gap counts as one generation at
 * most and a step back as nothing, so that a wrong clock makes nothing forgotten. It uses 256 tables that grow and
 * shrink one by one: rebuilding a single large one would stop everything else for a second.
 */
export class Fingerprints {
  readonly #spanMs: number;
  readonly #generationMs: number;
  readonly #most: number;
  readonly #secret = randomBytes(32);
  readonly #keys = new Map<string, Map<string, SourceKey>>();
  #sources = 0;
  readonly #tables = Array.from({ length: partitions }, () => new Uint32Array(2 * smallestSlots));
  readonly #used = new Uint32Array(partitions);
  /** By tag: how many events came in that generation, and when the stream stored the first of them. */
  readonly #counts = new Uint32Array(tags + 1);
  readonly #began = new Float64Array(tags + 1);
  #live = 0;
  #generation = 0;
  /** How many generations before the current one are remembered; fewer than usual once the maximum is reached. */
  #kept = 0;
  #elapsed = 0;
  #last: number | undefined;
  #swept = 0;

  /**
   * @param options.most default 40 million: half a gigabyte, 35,000 events a second for a quarter of an hour and some
   */
  constructor({ spanMs, most = 40_000_000 }: FingerprintOptions) {
    this.#spanMs = spanMs;
    this.#generationMs = spanMs / generations;
    this.#most = most;
  }

  /** Events remembered. */
  get size(): number {
    return this.#live;
  }

  get bytes(): number {
    return this.#tables.reduce((sum, table) => sum + table.byteLength, 0);
  }

  /** Why less than the span is remembered; otherwise undefined. */
  get problem(): string | undefined {
    if (this.#kept >= Math.min(this.#generation, generations)) return undefined;
    const seconds = Math.round((this.#kept * this.#generationMs) / 1_000);
    return `more than ${this.#most} events came within ${this.#spanMs / 1_000} s: those sent twice more than ${seconds} s apart are counted twice`;
  }

  /** From this stored time on every event is remembered; Infinity before the first. */
  get horizon(): number {
    return this.#last === undefined ? Number.POSITIVE_INFINITY : (this.#began[this.#tag(this.#kept)] ?? 0);
  }

  /**
   * Remembers an event; false when it is already remembered.
   * @param storedAt when the stream stored it, ms since 1970
   */
  add(client: string, source: string, id: number, storedAt: number): boolean {
    this.#advance(storedAt);
    const key = this.#keyOf(client, source);
    const low = id | 0;
    const high = (id / 2 ** 32) | 0;
    const first = mix(mix(key.a ^ low) ^ key.b ^ high) >>> 0;
    const second = mix(mix(key.c ^ low) ^ key.d ^ high) >>> 0;
    return this.#insert(second >>> 24, first, (second << 8) >>> 0);
  }

  #insert(partition: number, first: number, second: number): boolean {
    const table = this.#tables[partition] as Uint32Array; // there are as many tables as partitions
    const slots = table.length / 2;
    let free = -1;
    let slot = Math.floor((first * slots) / 2 ** 32);
    for (;;) {
      const rest = table[2 * slot + 1] ?? 0;
      if (rest === 0) break;
      const isLive = this.#isLive(rest & 0xff);
      if (table[2 * slot] === first && (rest & ~0xff) >>> 0 === second) {
        if (isLive) return false;
        free = slot;
        break;
      }
      if (!isLive && free < 0) free = slot;
      if (++slot === slots) slot = 0;
    }
    if (free < 0) {
      free = slot;
      this.#used[partition] = (this.#used[partition] ?? 0) + 1;
    }
    const tag = this.#tag(0);
    table[2 * free] = first;
    table[2 * free + 1] = second | tag;
    this.#counts[tag] = (this.#counts[tag] ?? 0) + 1;
    this.#live++;
    if ((this.#used[partition] ?? 0) > slots * fullest) this.#rebuild(partition);
    if (this.#live >= this.#most) this.#forgetEarly();
    return true;
  }

  /** The tag of the generation this many before the current one. */
  #tag(before: number): number {
    return 1 + ((((this.#generation - before) % tags) + tags) % tags);
  }

  #isLive(tag: number): boolean {
    return (this.#tag(0) - tag + tags) % tags <= this.#kept;
  }

  #advance(storedAt: number): void {
    if (this.#last === undefined) this.#began[this.#tag(0)] = storedAt;
    else this.#elapsed += Math.min(Math.max(0, storedAt - this.#last), this.#generationMs);
    this.#last = storedAt;
    if (this.#elapsed < this.#generationMs) return;
    this.#elapsed -= this.#generationMs;
    this.#beginGeneration(storedAt);
  }

  #beginGeneration(storedAt: number): void {
    if (this.#kept === generations) this.#live -= this.#counts[this.#tag(this.#kept)] ?? 0;
    else this.#kept++;
    this.#generation++;
    this.#counts[this.#tag(0)] = 0;
    this.#began[this.#tag(0)] = storedAt;
    for (let i = 0; i < sweptAtOnce; i++) {
      this.#rebuild(this.#swept);
      this.#swept = (this.#swept + 1) % partitions;
    }
  }

  #forgetEarly(): void {
    if (this.#kept === 0) this.#beginGeneration(this.#last ?? 0);
    this.#live -= this.#counts[this.#tag(this.#kept)] ?? 0;
    this.#kept--;
  }

  /** Moves the live entries into a table that fits them. */
  #rebuild(partition: number): void {
    const old = this.#tables[partition] as Uint32Array; // as above
    let live = 0;
    for (let place = 1; place < old.length; place += 2) {
      const rest = old[place] ?? 0;
      if (rest !== 0 && this.#isLive(rest & 0xff)) live++;
    }
    const slots = Math.max(smallestSlots, Math.ceil(live / afterRebuild(partition)));
    const table = new Uint32Array(2 * slots);
    for (let place = 0; place < old.length; place += 2) {
      const first = old[place] ?? 0;
      const rest = old[place + 1] ?? 0;
      if (rest === 0 || !this.#isLive(rest & 0xff)) continue;
      let slot = Math.floor((first * slots) / 2 ** 32);
      while (table[2 * slot + 1] !== 0) if (++slot === slots) slot = 0;
      table[2 * slot] = first;
      table[2 * slot + 1] = rest;
    }
    this.#tables[partition] = table;
    this.#used[partition] = live;
  }

  #keyOf(client: string, source: string): SourceKey {
    const known = this.#keys.get(client)?.get(source);
    if (known !== undefined) return known;
    if (this.#sources++ >= mostSources) {
      this.#keys.clear();
      this.#sources = 1;
    }
    // A client's name has no NUL in it.
    const hash = createHmac("sha256", this.#secret).update(`${client}\0${source}`).digest();
    const [a, b, c, d] = [0, 4, 8, 12].map((at) => hash.readInt32LE(at)) as [number, number, number, number];
    const key = { a, b, c, d };
    const ofClient = this.#keys.get(client) ?? new Map<string, SourceKey>();
    this.#keys.set(client, ofClient.set(source, key));
    return key;
  }
}

interface SourceKey {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/**
 * The stages an event passes: `raw` is where producers publish, `final` where consumers read, those between belong to
 * the pipeline's steps. Each is a mailbox with a stream of its own.
 */
export const rawStage = "raw";
export const finalStage = "final";

/** What a subject of the pipeline says about its message. `type` is absent on raw subjects. */
export interface EventSubject {
  readonly stage: string;
  readonly client: string;
  readonly type?: string;
}

/** `casino.event.raw.<client>`: where producers publish. */
export function rawSubject(client: string): string {
  return `casino.event.raw.${client}`;
}

/** `casino.event.<stage>.<client>.<type>`: where a step forwards to. */
export function stageSubject(stage: string, client: string, type: string): string {
  return `casino.event.${stage}.${client}.${type}`;
}

/** `casino.dead.<step>.<client>`: where a step sets an event aside. */
export function deadSubject(step: string, client: string): string {
  return `casino.dead.${step}.${client}`;
}

/** The filter that takes in every subject of a stage. */
export function stageFilter(stage: string): string {
  return stage === rawStage ? "casino.event.raw.*" : `casino.event.${stage}.*.*`;
}

/** The stream of a stage: CASINO_RAW, CASINO_PRICED, …; the final one is called CASINO_EVENTS. */
export function stageStream(stage: string): string {
  return stage === finalStage ? "CASINO_EVENTS" : `CASINO_${stage.toUpperCase()}`;
}

export const deadStream = "CASINO_DEAD";

/** Where it is written down what left the pipeline neither as a final event nor as a dead letter. */
export const ledgerStream = "CASINO_LEDGER";

/** What the ledger knows: copies of an event that a stream dropped, dead letters sent again, dead letters discarded. */
export type LedgerKind = "duplicates" | "replayed" | "discarded";

/** `casino.ledger.<kind>.<step>`; the step that dropped the copies, or that had set the letter aside. */
export function ledgerSubject(kind: LedgerKind, step: string): string {
  return `casino.ledger.${kind}.${step}`;
}

/** Reads a subject of the pipeline; undefined for any other subject. */
export function parseEventSubject(subject: string): EventSubject | undefined {
  const [casino, event, stage, client, type, ...rest] = subject.split(".");
  if (casino !== "casino" || event !== "event" || !stage || !client || rest.length > 0) return undefined;
  if (stage === rawStage) return type === undefined ? { stage, client } : undefined;
  return type ? { stage, client, type } : undefined;
}

/** The client of an event's subject, its fourth token; empty where there is none. */
export function clientOf(subject: string): string {
  const start = subject.indexOf(".", "casino.event.".length) + 1;
  const end = subject.indexOf(".", start);
  return start === 0 ? "" : subject.slice(start, end < 0 ? undefined : end);
}

/** Reply subject, request subject and service name of the aggregates: on no stream, else a PubAck would answer. */
export const materializedSubject = "casino.materialized";

/**
 * The stages that an event passes: producers publish to `raw`, readers consume `final`, and those between belong to the
 * steps. Each has a stream of its own.
 */
export const rawStage = "raw";
export const finalStage = "final";

/**
 * Beside the stages, where events wait that have left their message: to be retried, or suspects to be handled alone.
 */
export const apartStage = "apart";

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

/** Whether a message there is a producer's: what its headers say about the pipeline must not be trusted. */
export function isRawSubject(subject: string): boolean {
  return subject.startsWith(rawSubjects);
}
const rawSubjects = rawSubject("");

/** `casino.event.<stage>.<client>.<type>`: where a step forwards to. */
export function stageSubject(stage: string, client: string, type: string): string {
  return `casino.event.${stage}.${client}.${type}`;
}

/** `casino.event.<stage>._.bundle`: several events that a step forwards in one message. `_` is no client's name. */
export function bundleSubject(stage: string): string {
  return `casino.event.${stage}${bundleEnd}`;
}

/** Whether a message there carries several events, each with its envelope. */
export function isBundleSubject(subject: string): boolean {
  return subject.endsWith(bundleEnd);
}
const bundleEnd = "._.bundle";

/** `casino.event.apart.<step>.<client>`: for an event that leaves its message. Only the step itself publishes there. */
export function apartSubject(step: string, client: string): string {
  return `casino.event.${apartStage}.${step}.${client}`;
}

/** The durable consumer of those events. */
export function apartDurable(step: string): string {
  return `${step}_apart`;
}

/** The step and the client of such a subject; undefined for any other. */
export function parseApartSubject(
  subject: string,
): { readonly step: string; readonly client: string } | undefined {
  const [, step, client] = /^casino\.event\.apart\.([^.]+)\.([^.]+)$/.exec(subject) ?? [];
  return step === undefined || client === undefined ? undefined : { step, client };
}

/** `casino.dead.<step>.<client>`: where a step sets an event aside. */
export function deadSubject(step: string, client: string): string {
  return `casino.dead.${step}.${client}`;
}

/** `<subject of the letter>.part`: bytes of a message that does not fit into its letter. */
export function partSubject(letter: string): string {
  return `${letter}.part`;
}

/** Whether it is that subject, whose messages are no letters. */
export function isPartSubject(subject: string): boolean {
  return /^casino\.dead\.[^.]+\.[^.]+\.part$/.test(subject);
}

/** The filter for every subject of a stage. */
export function stageFilter(stage: string): string {
  if (stage === rawStage) return "casino.event.raw.*";
  return stage === retryStage ? "casino.delivery.retry.>" : `casino.event.${stage}.*.*`;
}

/** The stream of a stage: CASINO_RAW, CASINO_PRICED, …; the final one is called CASINO_EVENTS. */
export function stageStream(stage: string): string {
  return stage === finalStage ? "CASINO_EVENTS" : `CASINO_${stage.toUpperCase()}`;
}

export const apartStream = stageStream(apartStage);

/**
 * Where deliveries wait to be retried, or to be brought from the archive. It is no stage of an event, though its stream
 * is a queue like theirs.
 */
export const retryStage = "retry";
export const retryStream = stageStream(retryStage);

/** `casino.delivery.retry.<destination>`: deliveries to that destination that wait for their time. */
export function retrySubject(destination: string): string {
  return `casino.delivery.retry.${destination}`;
}

/** `sender_<destination>`: the destination's durable consumer of the log, and the step in its dead letters. */
export function senderName(destination: string): string {
  return `${senderPrefix}${destination}`;
}
const senderPrefix = "sender_";

/** The destination's durable consumer of its waiting deliveries. */
export function retryDurable(destination: string): string {
  return `${senderName(destination)}${retryEnd}`;
}
const retryEnd = "_retry";

/** The destination in such a consumer's or step's name; undefined for any other name. */
export function destinationOf(name: string): string | undefined {
  return /^sender_([a-z0-9]+)(?:_retry)?$/.exec(name)?.[1];
}

/** `casino.operator.<kind>`: what an operator must know at once; core NATS. */
export function operatorSubject(kind: string): string {
  return `casino.operator.${kind}`;
}

/** The reader of CASINO_EVENTS that must miss nothing: its durable consumer, and the step in its dead letters. */
export const archiverName = "archiver";

export const deadStream = "CASINO_DEAD";

/** The stream that records which dead letters were replayed or discarded. */
export const ledgerStream = "CASINO_LEDGER";

/** `casino.ledger.letter.<seq>`: what was done with a dead letter, by its sequence in CASINO_DEAD. */
export function ledgerSubject(letter: number): string {
  return `casino.ledger.letter.${letter}`;
}

/** The stream that records which accepted events ended as copies of others. */
export const copiesStream = "CASINO_COPIES";

/** `casino.copies.<step>`, of the step that forwarded them. */
export function copiesSubject(step: string): string {
  return `casino.copies.${step}`;
}

/** Parses a subject of the pipeline; undefined for any other subject. */
export function parseEventSubject(subject: string): EventSubject | undefined {
  const [casino, event, stage, client, type, ...rest] = subject.split(".");
  if (casino !== "casino" || event !== "event" || !stage || !client || rest.length > 0) return undefined;
  if (stage === rawStage) return type === undefined ? { stage, client } : undefined;
  return type ? { stage, client, type } : undefined;
}

/** The client in an event's subject, its fourth token; empty where there is none. */
export function clientOf(subject: string): string {
  const start = subject.indexOf(".", "casino.event.".length) + 1;
  const end = subject.indexOf(".", start);
  return start === 0 ? "" : subject.slice(start, end < 0 ? undefined : end);
}

/** Request subject and service name of the aggregates: on no stream, whose PubAck would answer the request. */
export const materializedSubject = "casino.materialized";

/**
 * `croupier.status.<service>.<instance>`: a service's state, once a second. Outside `casino.>`, which is for events
 * only.
 */
export function statusSubject(service: string, instance: string): string {
  return `croupier.status.${service}.${instance}`;
}

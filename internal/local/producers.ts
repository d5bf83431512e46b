import { clientName } from "../casino/names.ts";
import { eventRate, generatedType } from "../generator/flags.ts";
import { reasonOf } from "../service/log.ts";
import type { ServiceSpec } from "./services.ts";

/** An additional generator: its client, type and rate per second. */
export interface Producer {
  readonly client: string;
  /** Undefined = all casino types. */
  readonly type: string | undefined;
  /** Undefined = random gaps. */
  readonly rate: number | undefined;
  /** Currencies of its bets and deposits; default: the generator's own. */
  readonly currencies?: readonly string[];
}

/** Reads `client[:type[:rate]]`. @throws Error whose message completes "--producer must …" */
export function parseProducer(text: string): Producer {
  const [client = "", type, rate, ...more] = text.split(":");
  if (more.length > 0) throw new Error("be of the form client[:type[:rate]]");
  return {
    client: part("a client", clientName, client),
    type: type ? part("a type", generatedType, type) : undefined,
    rate: rate ? part("a rate", eventRate, rate) : undefined,
  };
}

/** The service specifications of these generators. */
export function producerServices(producers: readonly Producer[]): readonly ServiceSpec[] {
  return producers.map(({ client, type, rate, currencies }, index) => ({
    name: `producer-${index + 1}-${client}`,
    command: "generator",
    args: [
      ...["--client", client],
      ...(type === undefined ? [] : ["--type", type]),
      ...(rate === undefined ? [] : ["--rate", String(rate)]),
      ...(currencies === undefined ? [] : ["--currencies", currencies.join()]),
    ],
    stage: 3,
    http: "none",
  }));
}

function part<T>(name: string, parse: (text: string) => T, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`be client[:type[:rate]] with ${name} that must ${reasonOf(error)}`);
  }
}

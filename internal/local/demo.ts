import { type Producer, producerServices } from "./producers.ts";
import type { ServiceSpec } from "./services.ts";

/** The casinos that `up --demo` adds, and the events they emit. The samples contain their players and games. */
const producers: readonly Producer[] = [
  { client: "acme-casino", type: undefined, rate: 5, currencies: ["USD", "CAD", "MXN"] },
  { client: "lucky-spin", type: undefined, rate: 5, currencies: ["GBP", "SEK", "BTC"] },
];

export const demoClients: readonly string[] = producers.map(({ client }) => client);

/** The additional services of `up --demo`: a generator for each of its casinos, and one receiver for their webhooks. */
export const demoServices: readonly ServiceSpec[] = [
  { name: "receiver", args: ["--clients", demoClients.join()], stage: 2, http: "own" },
  ...producerServices(producers).map((spec, index) => ({ ...spec, name: `demo-${demoClients[index]}` })),
];

/** The longest of the commands that have a remark behind them. */
const commandWidth = "npm run destinations -- list".length;

/** The banner's lines about them. @param keys by client; missing if none could be made */
export function demoLines(
  keys: ReadonlyMap<string, string>,
  { port, receiver }: { readonly port: number; readonly receiver: number | undefined },
): readonly string[] {
  return [
    "  Two more casinos, each with players, games, currencies and webhooks of its own:",
    "",
    ...demoClients.flatMap((client) => {
      const key = keys.get(client);
      return [
        `  curl '127.0.0.1:${port}/materialized?client_id=${client}'`,
        ...(key === undefined
          ? []
          : [`  curl '127.0.0.1:${port}/events?limit=3' -H 'Authorization: Bearer ${key}'`]),
      ];
    }),
    ...(receiver === undefined
      ? []
      : [`  ${`curl 127.0.0.1:${receiver}/`.padEnd(commandWidth)}  # the verified webhooks`]),
    `  ${"npm run destinations -- list".padEnd(commandWidth)}  # their targets; deliveries -- list: the results`,
    "",
  ];
}

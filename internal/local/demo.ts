import { type Producer, producerServices } from "./producers.ts";
import type { ServiceSpec } from "./services.ts";

/** The casinos that `up --demo` adds: what they emit. Their players and games are among the samples. */
const producers: readonly Producer[] = [
  { client: "acme-casino", type: undefined, rate: 5, currencies: ["USD", "CAD", "MXN"] },
  { client: "lucky-spin", type: undefined, rate: 5, currencies: ["GBP", "SEK", "BTC"] },
];

/** Their slugs. */
export const demoClients: readonly string[] = producers.map(({ client }) => client);

/** What `up --demo` runs beside the rest: a generator for each of its casinos, and what receives the webhooks of all of them. */
export const demoServices: readonly ServiceSpec[] = [
  { name: "receiver", args: ["--clients", demoClients.join()], stage: 2, http: "own" },
  ...producerServices(producers).map((spec, index) => ({ ...spec, name: `demo-${demoClients[index]}` })),
];

/** What the banner says of them. @param keys by client, as far as they could be made */
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
      : [`  curl 127.0.0.1:${receiver}/                      # the webhooks that came, verified`]),
    "  npm run destinations -- list                  # where they go; deliveries -- list: what came of it",
    "",
  ];
}

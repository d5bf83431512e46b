import { expect, test } from "vitest";
import { parseProducer, producerServices } from "./producers.ts";

test.each([
  ["acme-casino", "--client acme-casino"],
  ["acme-casino:monitor-app", "--client acme-casino --type monitor-app"],
  ["acme-casino:bet:2.5", "--client acme-casino --type bet --rate 2.5"],
  ["acme-casino::100", "--client acme-casino --rate 100"],
])("%s is %s", (text, args) => {
  const [service] = producerServices([parseProducer(text)]);
  expect(service).toMatchObject({ name: "producer-1-acme-casino", command: "generator" });
  expect(service?.args?.join(" ")).toBe(args);
});

test.each([
  ["", /^be client\[:type\[:rate\]\] with a client that must be of the form/],
  ["Acme", /with a client that must be of the form/],
  ["acme-casino:Bet!", /with a type that must be one of game_start, .* or registered/],
  ["acme-casino:bet:fast", /with a rate that must be a number from/],
  ["acme-casino:bet:1:2", /^be of the form client\[:type\[:rate\]\]$/],
])("%j is refused", (text, message) => {
  expect(() => parseProducer(text)).toThrow(message);
});

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { addClient } from "../clients/client-repository.ts";
import { deposit, gatewaysOfFile, keyFor, type TestGateway } from "../gateway/gateway.fixture.ts";
import { BodyBudget } from "./body-budget.ts";

const { db, key, openGateway } = await gatewaysOfFile("slow");
await addClient(db, "other", "Other");
const other = await keyFor(db, "quick", "other");

test("counts what is kept, of each owner and of all, and gives it back", () => {
  const budget = new BodyBudget({ bytes: 100, bytesOfOwner: 60 });
  const first = budget.open("a", "x");
  const second = budget.open("a", "x");
  first.keep(50);
  second.keep(10);
  expect(() => second.keep(11)).toThrow(expect.objectContaining({ status: 429 }));
  const third = budget.open("b", "x");
  third.keep(40);
  expect(() => third.keep(41)).toThrow(expect.objectContaining({ status: 503 }));
  first.keep(20);
  third.keep(60);
  second.keep(20);
  for (const body of [first, second, third]) body[Symbol.dispose]();
  first[Symbol.dispose]();
  budget.open("c", "x").keep(60);
  expect(() => budget.open("d", "y").keep(41)).toThrow(expect.objectContaining({ status: 503 }));
});

test("counts bodies, of each owner, each address and all", () => {
  const budget = new BodyBudget({ bodies: 4, bodiesOfOwner: 2, bodiesOfAddress: 3 });
  const open = [budget.open("a", "x"), budget.open("a", "x")];
  const fails = (owner: string, address: string, status: number) =>
    expect(() => budget.open(owner, address)).toThrow(expect.objectContaining({ status }));
  fails("a", "y", 429);
  open.push(budget.open("b", "x"));
  fails("c", "x", 429);
  open.push(budget.open("c", "y"));
  fails("d", "z", 503);
  for (const body of open) body[Symbol.dispose]();
  budget.open("a", "x");
});

/** Begins so many bodies and sends all of each but its end; what each is answered. */
async function unfinished(gateway: TestGateway, count: number, part: { head: string; body: string }) {
  const port = Number(new URL(await gateway.origin()).port);
  const answers: string[] = [];
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => void answers.push(chunk.toString()));
    await once(socket, "connect");
    socket.write(
      `POST ${part.head}\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Length: 1000000\r\n\r\n`,
    );
    socket.write(part.body);
    sockets.push(socket);
  }
  return { answers, sockets };
}

const half = "x".repeat(500_000);
test.each([
  ["JSON", "/events HTTP/1.1\r\nContent-Type: application/json"],
  ["protobuf", "/events HTTP/1.1\r\nContent-Type: application/x-protobuf"],
  ["an unfinished line", "/events HTTP/1.1\r\nContent-Type: application/x-ndjson"],
  ["a mended payload", "/dead-letters/1/replay HTTP/1.1\r\nContent-Type: application/json"],
])(
  "unfinished bodies (%s) have room for so many bytes; others still send, and it is free again after them",
  async (_what, head) => {
    const gateway = await openGateway({
      bodies: { bytes: 4 * 2 ** 20, bytesOfOwner: 2 * 2 ** 20 },
      limits: { lingerMs: 300 },
    });
    const { answers, sockets } = await unfinished(gateway, 10, { head, body: half });
    await waitFor(() => answers.length >= 6);
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1.1 429 Too Many Requests\r\n/);
      expect(answer).toMatch(/^retry-after: 1$/im);
      expect(answer).toContain("One client's bodies in progress may take 2 MiB");
    }
    const post = (sender: string, body: string) =>
      gateway.app.inject({
        method: "POST",
        url: "/events",
        headers: { authorization: `Bearer ${sender}`, "content-type": "application/json" },
        payload: body,
      });
    const large = JSON.stringify(
      Array.from({ length: 1_000 }, (_, i) => deposit(i + 1, { note: "x".repeat(700) })),
    );
    expect((await post(other, large)).statusCode).toBe(202);
    for (const socket of sockets) socket.destroy();
    await waitFor(async () => (await post(key, large)).statusCode === 202);
  },
);

test("only so many bodies of a client are under way, however small", async () => {
  const gateway = await openGateway({ bodies: { bodiesOfOwner: 3 } });
  const { answers } = await unfinished(gateway, 4, {
    head: "/events HTTP/1.1\r\nContent-Type: application/json",
    body: "x",
  });
  await waitFor(() => answers.length === 1);
  expect(answers[0]).toMatch(/^HTTP\/1.1 429/);
  expect(answers[0]).toContain("One client may have 3 bodies in progress at once");
});

test.each([
  ["of a path that does not exist", "/nothing", "", 404],
  ["of a path without this method", "/materialized", "", 405],
  ["of somebody who may not do this", "/dashboard/keys", "", 403],
  ["of another site's page", "/dashboard/session", "", 403],
  ["too large to sign in with", "/dashboard/session", "X-Croupier: dashboard\r\n", 413],
])("a body %s is answered before its end, and not kept", async (_what, path, header, status) => {
  const gateway = await openGateway({ limits: { lingerMs: 300 } });
  const head = `${path} HTTP/1.1\r\n${header}Content-Type: application/json`;
  const { answers } = await unfinished(gateway, 1, { head, body: half });
  await waitFor(() => answers.length === 1);
  expect(answers[0]).toContain(`HTTP/1.1 ${status} `);
});

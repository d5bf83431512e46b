import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { addClient } from "../clients/client-repository.ts";
import { gatewaysOfFile, keyFor, type TestGateway } from "../gateway/gateway.fixture.ts";

const { db, key, openGateway } = await gatewaysOfFile("unread");
await addClient(db, "other", "Other");
const other = await keyFor(db, "quick", "other");

/** Larger than what two sockets buffer. */
const data = { text: "x".repeat(24 * 2 ** 20) };
const event = {
  ...{ id: 1, type: "blob", created_at: "", description: "", client_id: "", source: "" },
  data,
};
const MiB = 2 ** 20;

const open = (unread: { bytesOfOwner: number; bytes: number }) =>
  openGateway({ unread, findEvents: async () => ({ events: [event], next_cursor: null }) });

/** Asks and reads nothing; the sockets. */
async function askOnly(gateway: TestGateway, as: string, count: number): Promise<readonly Socket[]> {
  const port = Number(new URL(await gateway.origin()).port);
  return Array.from({ length: count }, () => {
    const socket = connect(port, "127.0.0.1").pause();
    onTestFinished(() => void socket.destroy());
    socket.write(`GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${as}\r\n\r\n`);
    return socket;
  });
}

const asker = (gateway: TestGateway) => async (as: string) => {
  const answer = await fetch(`${await gateway.origin()}/events`, {
    headers: { authorization: `Bearer ${as}` },
  });
  await answer.arrayBuffer();
  return answer.status;
};

test("a client that reads no answers gets no more of them, and others do", async () => {
  const gateway = await open({ bytesOfOwner: 80 * MiB, bytes: 1_000 * MiB });
  const ask = asker(gateway);
  const sockets = await askOnly(gateway, key, 4);
  await waitFor(async () => (await ask(key)) === 429);
  expect(await ask(other)).toBe(200);
  for (const socket of sockets) socket.destroy();
  await waitFor(async () => (await ask(key)) === 200);
});

test("all together leave some memory, and one answer always has room", async () => {
  const gateway = await open({ bytesOfOwner: 5 * MiB, bytes: 36 * MiB });
  const ask = asker(gateway);
  expect(await ask(other)).toBe(200);
  const sockets: Socket[] = [];
  await waitFor(async () => {
    // More than once: the gateway may hear late that the answer before was read, and then has no room for this one.
    sockets.push(...(await askOnly(gateway, key, 1)));
    return (await ask(other)) === 503;
  });
  for (const socket of sockets) socket.destroy();
  await waitFor(async () => (await ask(other)) === 200);
});

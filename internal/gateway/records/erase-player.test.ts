import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../../test/harness/broker.ts";
import { createKey } from "../../clients/client-repository.ts";
import { LetterStore } from "../../dead-letters/store.ts";
import { ensureStreams } from "../../jetstream/topology.ts";
import { OutgoingHeaders } from "../../jetstream/wire-headers.ts";
import { playerKind } from "../../players/player-kind.ts";
import { postgresRecords } from "../../records/postgres-records.ts";
import { Unavailable } from "../../service/unavailable.ts";
import { askerOf, gatewaysOfFile } from "../gateway.fixture.ts";

const { db, key, openGateway } = await gatewaysOfFile("crm");
const operator = (await createKey(db, "operator")) ?? "";
const store = postgresRecords(db, playerKind);
const { signal } = new AbortController();

describe("a player that is erased", () => {
  const bet = (address: string) => ({ player_id: 10, player: { email: address } });

  test("goes from the archive and the dead letters too, and no other client's", async () => {
    const gateway = await openGateway();
    const { nc, publisher } = gateway;
    await ensureStreams(nc, ["profiled", "apart", "final"], defaultLimits);
    const payload = Buffer.from(JSON.stringify(bet("john@example.com")));
    for (const client of ["casino", "lucky-spin"])
      await publisher.publish({
        subject: `casino.dead.description.${client}`,
        payload,
        headers: new OutgoingHeaders(),
      });
    await db.deleteFrom("players").execute();
    await store.put("lucky-spin", [{ id: 10, email: "10@example.com", last_signed_in_at: null }], signal);
    const ask = askerOf(gateway, key);
    const erase = (query: string) => ask("DELETE", `/players/10?${query}`);
    expect((await ask("DELETE", "/players/10?erase=true", undefined, { as: operator })).status).toBe(403);
    expect((await erase("erase=yes")).body.detail).toBe('erase must be true or false, not "yes".');
    expect((await erase("earse=true")).status).toBe(400);
    expect((await erase("erase=false")).status).toBe(404);
    expect(await erase("erase=true")).toMatchObject({
      status: 200,
      body: {
        ...{ client_id: "casino", player_id: 10, requested_by: expect.stringMatching(/^key \d+$/) },
        done: { players: 0, events: 0, dead_letters_rewritten: 1, dead_letters_removed: 0 },
        remains: [],
      },
    });
    const letters = await Promise.all([1, 2, 3].map((seq) => new LetterStore(nc).read(seq)));
    expect(letters.map((letter) => letter && Buffer.from(letter.payload).toString())).toEqual([
      undefined,
      payload.toString(),
      '{"player_id":10}',
    ]);
    expect(await store.find("lucky-spin", 10, signal)).toBeDefined();
  });

  test("is a 503 that says to ask again while something is away", async () => {
    const gateway = await openGateway({
      erasePlayer: () => Promise.reject(new Unavailable("NATS is away.")),
    });
    expect(await askerOf(gateway, key)("DELETE", "/players/10?erase=true")).toMatchObject({
      status: 503,
      headers: { "retry-after": "2" },
      body: { detail: expect.stringContaining("repeat the request, and it continues") },
    });
  });
});

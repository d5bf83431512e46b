import { describe, expect, test } from "vitest";
import { archiverDurable } from "../../internal/archive/archiver.ts";
import { freePort } from "../../internal/local/free-port.ts";
import type { Proof } from "../../internal/proof/proof.ts";
import { events, systemForTest } from "../../internal/proof/system.fixture.ts";
import { runHere } from "../../test/harness/command-here.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

const { databaseUrl, jsm, nats, send, settled, startMaterializer, startSteps, stopAll, stored } =
  await systemForTest();

describe("npm run prove", () => {
  const env = { NATS_URL: nats.url, DATABASE_URL: databaseUrl };
  const run = (...args: readonly string[]) => runHere("cmd/prove/main.ts", args, { env });

  test("ends with 0 when all holds, and says what it saw", async () => {
    await send(1, 1_200);
    await settled();
    const { code, stdout, stderr } = await run("--wait", "10s", "--strict");
    expect([code, stderr]).toEqual([0, ""]);
    const said = stdout
      .replace(/\(\S+Z, .* s\)/, "(when)")
      // A redelivery on a busy machine leaves a record, which is right.
      .replace(/^( *CASINO_COPIES) .*$/m, "$1 (any)");
    expect(said).toMatchInlineSnapshot(`
      "                                              events
      accepted by CASINO_RAW, in 1,200 messages      1,200
        final                                        1,200
        waiting in a queue                               0
        dead letters                                     0
        dead letters sent again to the first step        0
        dead letters discarded                           0
        dead letters erased with a person's data         0
        dropped as copies of others                      0
        on the move while this was read                  0
        in queues too long to be read, or nowhere        0
        too old for the streams to know                  0
        nowhere                                          0
      messages in CASINO_EVENTS                      1,200
        of them put there again from dead letters        0

      stream            ever stored   holds
      CASINO_RAW              1,200       0
      CASINO_PRICED           1,200       0
      CASINO_PROFILED         1,200       0
      CASINO_APART                0       0
      CASINO_EVENTS           1,200   1,200
      CASINO_DEAD                 0       0
      CASINO_LEDGER               0       0
      CASINO_COPIES (any)

      client   final   in Postgres   not yet   refused   missing   sent twice
      casino   1,200         1,200         0         0         0            0

      ok           quiet         All events were settled when the reading began.
      ok           accounted     Every accepted event is accounted for.
      ok           older         The streams still have everything since they were made.
      ok           once          Every final event is in CASINO_EVENTS once for each time it was accepted.
      ok           resent        Every dead letter that went as sent again is what lies where it was put.
      ok           cut           Every dead letter has all of its bytes.
      ok           strangers     Everything in the pipeline was accepted by CASINO_RAW.
      ok           holes         CASINO_EVENTS has no holes.
      ok           stranded      Every message in a queue is going to be delivered.
      ok           archived      Postgres has every final event that the archiver is done with.
      ok           surplus       Postgres has no event that CASINO_EVENTS should still have and has not.
      ok           materialized  /materialized gives what Postgres gives, in total and for each client.
      ok           delivered     There are no destinations.

      Proved (when)
      "
    `);
  });

  test("ends with 1 and names what does not hold, as JSON too", async () => {
    await send(1, 30);
    await settled();
    for (let seq = 11; seq <= 23; seq++) await jsm.streams.deleteMessage(events, seq);
    const { code, stdout } = await run("--names", "2");
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^VIOLATED {5}holes {9}Messages were deleted from CASINO_EVENTS\. 13:\n {4}CASINO_EVENTS 11 to 23\n/m,
    );
    expect(stdout).toMatch(/in the ledger\. 13:\n( {4}CASINO_RAW \d+\n){2} {4}and 11 more\n/);
    expect(stdout).toMatch(/\nVIOLATED: not every accepted event is accounted for once \(/);
    const asJson = await run("--names", "2", "--json");
    expect(asJson.code).toBe(1);
    const proof: Proof = JSON.parse(asJson.stdout);
    expect(proof).toMatchObject({ holds: false, accepted: { accepted: 30, final: 17, lost: 13 } });
  });

  test("ends with 0 where no archiver has ever run, and says that it could not compare", async () => {
    await stopAll();
    await jsm.consumers.delete(events, archiverDurable.name);
    await startSteps();
    await startMaterializer("on");
    await send(1, 7);
    await settled();
    const { code, stdout } = await run();
    expect(stdout).toMatch(/^not checked {2}archived {6}No archiver has ever run\.$/m);
    expect(stdout).toMatch(
      /^not checked {2}materialized {2}No archiver has ever run, .*: start one, then try again\.$/m,
    );
    expect(stdout).toMatch(
      /\nNothing is wrong, but 2 of 12 checks could not be made: archived, materialized \(/,
    );
    expect(code).toBe(0);
    expect(await run("--strict")).toMatchObject({ code: 1 });
  });

  test("ends with 0 while the archiver is away, and says what it has not archived yet", async () => {
    await send(1, 10);
    await settled();
    await stopAll();
    await startSteps();
    await startMaterializer("on");
    await send(11, 17);
    await waitFor(async () => (await stored(events)) === 17);
    const { code, stdout } = await run();
    const behind = "The archiver is behind by 7, of CASINO_EVENTS 11 to 17: see that one runs, ";
    expect(stdout).toContain(`\nnot checked  materialized  ${behind}`);
    expect(stdout).toMatch(/\nNothing is wrong, but 1 of 12 checks could not be made: materialized \(/);
    expect(code).toBe(0);
  });

  test("ends with 69 when it cannot ask", async () => {
    const nowhere = `nats://casino:secret@127.0.0.1:${await freePort()}`;
    const said = await runHere("cmd/prove/main.ts", [], { env: { ...env, NATS_URL: nowhere } });
    expect(said.code).toBe(69);
    expect(said.stderr).toMatch(
      /^prove: NATS is away: no NATS answers at nats:\/\/\*\*\*@127\.\S+\. Start it/,
    );
    await send(1, 1);
    await settled();
    const withoutDatabase = { ...env, DATABASE_URL: `postgres://127.0.0.1:${await freePort()}/casino` };
    const other = await runHere("cmd/prove/main.ts", [], { env: withoutDatabase });
    expect(other.code).toBe(69);
    expect(other.stderr).toMatch(/^prove: Postgres is away: .*\n$/);
    expect(other.stdout).toBe("");
  });
});

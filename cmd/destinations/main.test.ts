import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterAll, expect, test } from "vitest";
import { addClient } from "../../internal/clients/client-repository.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";
import { recordDeliveries } from "../../internal/webhooks/deliveries.ts";
import { openRequests } from "../../internal/webhooks/delivery-requests.ts";
import { receiverForTest } from "../../internal/webhooks/receiver.fixture.ts";
import { silent } from "../../test/harness/broker.ts";
import { runHere } from "../../test/harness/command-here.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";

const DATABASE_URL = await databaseForTest();
const db = connectPostgres(DATABASE_URL, "test", silent);
afterAll(() => db.destroy());
await migrate(db);
await addClient(db, "acme", "Acme");
const DELIVERY_KEY = randomBytes(32).toString("base64");

/** Runs a command, given its name and arguments. */
function croupier(line: string, more = {}) {
  const [name = "", ...args] = line.split(" ");
  const env = { DATABASE_URL, DELIVERY_KEY, DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8", ...more };
  return runHere(`cmd/${name}/main.ts`, args, { env });
}

test("a destination is added, tested, changed, given a new secret, sent more and removed", async () => {
  const receiver = await receiverForTest();
  const added = await croupier(
    `destinations add acme ${receiver.url} --type bet --rate-limit 5 --ordered on`,
  );
  const [, id = "", secret = ""] = /^([a-z0-9]{16}) (whsec_\S+)\n$/.exec(added.stdout) ?? [];
  expect(added.code, added.stderr).toBe(0);
  expect(await croupier(`destinations test ${id}`)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Delivered in \d+ ms: it answered 204\.\n$/),
  });
  const [call] = receiver.received;
  new Webhook(secret).verify(call?.body ?? "", call?.headers ?? {});

  expect(await croupier(`destinations update ${id} --all-types --rate-limit 0 --batch 10`)).toMatchObject({
    code: 0,
  });
  const shown = JSON.parse((await croupier(`destinations show ${id} --json`)).stdout);
  expect(shown).toMatchObject({ client_id: "acme", types: null, rate_limit: null, batch: 10, ordered: true });
  expect((await croupier("destinations list acme")).stdout).toMatch(
    new RegExp(`^id .*\n${id}  acme    enabled  all    ${receiver.url}\n$`),
  );
  expect(await croupier(`destinations update ${id} --type deposi --type bet`)).toMatchObject({
    code: 0,
    stderr:
      "There is no type deposi for client acme: did you mean deposit? Until it is registered, nothing is sent for it.\n",
  });
  expect(await croupier(`destinations rotate ${id} --overlap 1h`)).toMatchObject({
    stdout: expect.stringMatching(/^whsec_\S+\n$/),
    stderr: expect.stringMatching(/^The previous secret also signs until 20\S+Z\.\n$/),
  });
  expect((await croupier(`destinations rotate ${id} --overlap off`)).stderr).toBe(
    "The previous secret signs nothing any more: give this one to the receiver now.\n",
  );

  const since = "--since 2026-01-01T00:00:00Z";
  expect((await croupier(`destinations replay ${id} ${since} --dry-run`)).stdout).toBe(
    "0 events would be sent.\n",
  );
  expect(await croupier(`destinations replay ${id} ${since}`)).toMatchObject({ code: 0 });
  const event = { client: "acme", source: "web", id: 7, type: "bet" };
  const result = { status: 500, durationMs: 3, error: "It answered 500.", answer: "secret", at: new Date() };
  const attempt = { webhookId: "evt_7", attempt: 1, outcome: "failed" } as const;
  await recordDeliveries(db, [{ destination: id, event, result, ...attempt }]);
  const list = await croupier(`deliveries list --client acme --outcome failed --event 7`);
  expect(list.stdout).toContain(`${id}  failed   acme/web/7`);
  expect(list.stdout).not.toContain("secret");
  const [delivery] = JSON.parse((await croupier(`deliveries list --destination ${id} --json`)).stdout);
  expect((await croupier(`deliveries resend ${delivery.id}`)).code).toBe(0);
  expect(await openRequests(db, [id])).toMatchObject([{ kind: "replay" }, { kind: "resend", eventId: 7 }]);

  await croupier(`destinations disable ${id}`);
  expect((await croupier(`destinations replay ${id} ${since}`)).stderr).toContain("is disabled");
  expect(await croupier(`destinations remove ${id}`)).toMatchObject({ code: 1 });
  expect(await croupier(`destinations remove ${id} --yes`)).toMatchObject({ code: 0 });
  expect(await croupier(`destinations show ${id}`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`There is no destination ${id}`),
  });
});

test("what is wrong is said, all at once, and a test that fails is exit code 1", async () => {
  expect(await croupier("destinations add acme http://10.0.0.1 --header host:x")).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(
      /url cannot be called\.[\s\S]*headers\/host must not be a header that the sender sets/,
    ),
  });
  for (const line of [
    "destinations add acm https://example.com",
    "destinations list acm",
    "deliveries list --client acm",
  ])
    expect(await croupier(line)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/: There is no client acm: did you mean acme\?\n$/),
    });
  expect(await croupier("destinations update 0000000000000000 --header foo --type bet")).toMatchObject({
    code: 78,
    stderr: 'destinations: --header must be of the form "name: value", not "foo".\n',
  });
  expect(await croupier("destinations replay 0000000000000000 --since 1h --until 2h")).toMatchObject({
    code: 78,
    stderr: "destinations: --until must be later than --since.\n",
  });
  expect(await croupier("destinations list", { DELIVERY_KEY: "" })).toMatchObject({
    code: 78,
    stderr: expect.stringContaining("DELIVERY_KEY must be set"),
  });
  const receiver = await receiverForTest((response) => response.writeHead(500).end());
  const { stdout } = await croupier(`destinations add acme ${receiver.url}`);
  expect(await croupier(`destinations test ${stdout.split(" ")[0]}`)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/The test failed in \d+ ms\. It answered 500\./),
  });
});

test("the key that encrypts is replaced by three commands at most", async () => {
  await croupier("destinations add acme https://example.com --header authorization:x");
  const next = randomBytes(32).toString("base64");
  expect((await croupier("destinations list", { DELIVERY_KEY: next })).stderr).toContain(
    "DELIVERY_KEY lacks the key",
  );
  const both = { DELIVERY_KEY: `${next},${DELIVERY_KEY}` };
  expect((await croupier("destinations reseal", both)).stdout).toMatch(
    /Encrypted the secrets of [1-9]\d* destinations? again/,
  );
  expect((await croupier("destinations list", { DELIVERY_KEY: next })).code).toBe(0);
});

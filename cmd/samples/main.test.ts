import { expect, test } from "vitest";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";
import { silent } from "../../test/harness/broker.ts";
import { runHere } from "../../test/harness/command-here.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";

const DATABASE_URL = await databaseForTest({
  async prepare(url) {
    await using db = connectPostgres(url, "test", silent);
    await migrate(db);
  },
});

async function samples(...args: readonly string[]) {
  const { code, stdout, stderr } = await runHere("cmd/samples/main.ts", args, { env: { DATABASE_URL } });
  return { code, said: stdout + stderr };
}

test("adds what is missing, changes nothing that is there, and leaves a database alone that is in use", async () => {
  await using db = connectPostgres(DATABASE_URL, "test", silent);
  const emails = async () =>
    (await db.selectFrom("players").select("email").where("client_id", "=", "casino").execute()).map(
      ({ email }) => email,
    );
  expect(await samples("--if-untouched")).toEqual({
    code: 0,
    said: "Added samples: 2 clients, 11 players, 2 event types.\n",
  });
  expect((await emails()).sort()).toEqual([
    "bob@example.com",
    "jane@example.com",
    "john@example.com",
    "morty@example.com",
    "rick@example.com",
  ]);

  await db.deleteFrom("players").where("id", "=", "10").where("client_id", "=", "casino").execute();
  await db.updateTable("players").set({ email: "other@example.com" }).where("id", "=", "11").execute();
  expect(await samples("--if-untouched")).toEqual({
    code: 0,
    said: "",
  });
  expect(await emails()).not.toContain("john@example.com");
  expect(await samples()).toMatchObject({ code: 0, said: "Added samples: 1 player.\n" });
  expect(await emails()).toContain("john@example.com");
  expect(await emails()).toContain("other@example.com");
  expect(await samples()).toEqual({ code: 0, said: "All samples already exist.\n" });
  expect(await samples("--demo")).toEqual({ code: 0, said: "Added samples: 20 games.\n" });
});

import pg from "pg";
import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { postgresDrift } from "./config-drift.ts";
import { connectPostgres } from "./connect.ts";

test("a Postgres that does not force commits to the disk is named", async () => {
  // The tests' own server runs without, for speed.
  const url = await databaseForTest();
  const found = async () => {
    await using db = connectPostgres(url, "test", silent);
    return (await postgresDrift(db)).found;
  };
  const unsafe = [
    expect.stringMatching(/^Postgres runs with fsync off, .*: switch it on$/),
    expect.stringMatching(/^Postgres runs with full_page_writes off, /),
  ];
  expect(await found()).toEqual(unsafe);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = off`);
  await client.end();
  expect(await found()).toEqual([...unsafe, expect.stringMatching(/with synchronous_commit off, .*rows/)]);
});

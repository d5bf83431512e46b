import { type ConnectionOptions, connect, errors, type NatsConnection } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { natsRoles } from "../internal/local/nats-users.ts";
import { read, table } from "./harness/docs-table.ts";
import { lockedNatsForTest, natsVersions } from "./harness/locked-broker.ts";

type Verb = "publish" | "subscribe";

/** Every subject of the table with who may do what with it. Braces are alternatives; what is in <> is any token. */
const rows = table("docs/security.md", "Who may do what on the bus").flatMap(
  ([subject = "", publish, subscribe]) =>
    subject.split(/, (?![^{]*})/).flatMap((pattern) =>
      alternatives(pattern === "anything else" ? "something.else" : pattern).map((text) => ({
        subject: text.replaceAll(/<(\w+)>/g, "$1"),
        publish: names(publish),
        subscribe: names(subscribe),
      })),
    ),
);

function alternatives(pattern: string): readonly string[] {
  const [, before = "", choices, after = ""] = /^(.*?)\{(.*?)\}(.*)$/.exec(pattern) ?? [];
  if (choices === undefined) return [pattern];
  return choices.split(",").flatMap((choice) => alternatives(`${before}${choice}${after}`));
}

function names(cell = ""): readonly string[] {
  return cell === "" ? [] : cell.split(", ");
}

/** Which of the subjects the server refuses. */
async function refused(
  nc: NatsConnection,
  verb: Verb,
  subjects: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  const status = nc.status();
  void (async () => {
    for await (const { type, ...rest } of status)
      if (type === "error" && "error" in rest && rest.error instanceof errors.PermissionViolationError)
        found.push(rest.error.subject);
  })();
  for (const subject of subjects) {
    if (verb === "publish") nc.publish(subject);
    else nc.subscribe(subject, { callback: () => undefined });
  }
  await nc.flush();
  await new Promise((resolve) => setImmediate(resolve));
  return found;
}

test("every permission of nats.conf is in the table", () => {
  const lines = read("nats.conf")
    .split("\n")
    .filter((line) => !/^\s*#/.test(line));
  const permissions = lines.flatMap((line) => [...line.matchAll(/"([^"]+)"/g)].map(([, text = ""]) => text));
  expect(permissions).toContain("$JS.API.STREAM.UPDATE.*");
  // The last part of a permission with a space in it is a queue group.
  const unlisted = permissions.filter((permission) => {
    const subject = permission.split(" ", 1)[0] ?? "";
    const form = new RegExp(
      `^${subject.replaceAll(/[$.]/g, "\\$&").replaceAll("*", "[^.]+").replace(">", ".+")}$`,
    );
    return !rows.some((row) => form.test(row.subject));
  });
  expect(unlisted).toEqual([]);
});

describe.each(await natsVersions())("nats-server $version", async ({ binary }) => {
  const broker = await lockedNatsForTest("inspector", { binary });
  const open = async (options: ConnectionOptions): Promise<NatsConnection> => {
    const nc = await connect({ servers: broker.server.url, reconnect: false, ...options });
    onTestFinished(() => nc.close());
    return nc;
  };

  describe.each(natsRoles)("%s", (role) => {
    test.each(["publish", "subscribe"] as const)(
      "may %s what the table says, and nothing else",
      async (verb) => {
        const nc = await open(broker.credentials(role));
        const forbidden = rows.filter((row) => role !== "operator" && !row[verb].includes(role));
        expect(
          await refused(
            nc,
            verb,
            rows.map(({ subject }) => subject),
          ),
        ).toEqual(forbidden.map(({ subject }) => subject));
      },
    );
  });
});

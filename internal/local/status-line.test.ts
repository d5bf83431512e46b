import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { Outlet } from "./outlet.ts";
import { statusText } from "./stack-status.ts";
import { StatusLine } from "./status-line.ts";

const clear = "\r\u001b[2K";

function terminal(isTTY: boolean) {
  let shown = "";
  const stream = new PassThrough();
  stream.on("data", (chunk) => {
    shown += chunk;
  });
  const line = new StatusLine({ isTTY, columns: 30, write: (text) => stream.write(text) });
  return { line, outlet: new Outlet(stream, () => undefined, line), shown: () => shown };
}

test("stays below what is written, is cut to the terminal, and goes in the end", async () => {
  const { line, outlet, shown } = terminal(true);
  line.show("one");
  await outlet.write("event\n");
  line.show("x".repeat(100));
  line.end();
  await outlet.write("last\n");
  expect(shown()).toBe(`one${clear}event\none${clear}${"x".repeat(29)}${clear}last\n`);
});

test("several lines are lifted and laid down together", async () => {
  const { line, outlet, shown } = terminal(true);
  line.show("one", "two");
  await outlet.write("event\n");
  line.end();
  const lifted = `${clear}\u001b[1A${clear}`;
  expect(shown()).toBe(`one\ntwo${lifted}event\none\ntwo${lifted}`);
});

test("is silent where there is no terminal", async () => {
  const { line, outlet, shown } = terminal(false);
  line.show("one");
  await outlet.write("event\n");
  expect(shown()).toBe("event\n");
});

test("says in one line that events flow and what is wrong", () => {
  expect(
    statusText({
      events: { total: 12_345, perSecond: 19.84 },
      queues: { waiting: 0, dead: 2 },
      unready: ["gateway"],
    }),
  ).toBe("not ready: gateway · 12,345 events · 19.8/s · 0 waiting · 2 dead letters");
});

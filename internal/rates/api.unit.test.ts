import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../local/free-port.ts";
import { RatesError } from "./answer.ts";
import { ratesApi } from "./api.ts";

const good = '{"base":"EUR","rates":{"USD":1.0684}}';
const never = new AbortController().signal;

/** A rates API of its own for one test; resolves to its address. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return `http://127.0.0.1:${address.port}`;
}

const send = (response: ServerResponse, status: number, body = "", headers = {}) =>
  response.writeHead(status, headers).end(body);

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => error,
  );

test("asks with the query of the URL and the access key, and reads the answer", async () => {
  const asked: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    asked.push(request.url);
    send(response, 200, good);
  });
  const table = await ratesApi({ url: `${url}/live?source=EUR`, accessKey: "a b&c" })(never);
  expect(table).toEqual({ rates: new Map([["USD", "1.0684"]]), leftOut: [] });
  await ratesApi({ url: `${url}/latest` })(never);
  expect(asked).toEqual(["/live?source=EUR&access_key=a+b%26c", "/latest"]);
});

test("sends user and password of the URL as basic authentication", async () => {
  let authorization: string | undefined;
  const url = await serve((request, response) => {
    ({ authorization } = request.headers);
    send(response, 200, good);
  });
  await ratesApi({ url: url.replace("//", "//us%40er:pass@") })(never);
  expect(authorization).toBe(`Basic ${Buffer.from("us@er:pass").toString("base64")}`);
});

test("follows redirects of the same server, with its credentials, but not in circles", async () => {
  let circled = 0;
  const authorizations: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    authorizations.push(request.headers.authorization);
    if (request.url === "/circle") circled++;
    if (request.url === "/old") send(response, 301, "", { location: "/new" });
    else if (request.url === "/new") send(response, 200, good);
    else send(response, 302, "", { location: request.url });
  });
  const { rates } = await ratesApi({ url: `${url.replace("//", "//u:p@")}/old` })(never);
  expect(rates.get("USD")).toBe("1.0684");
  expect(authorizations).toEqual(["Basic dTpw", "Basic dTpw"]);
  expect(await failure(ratesApi({ url: `${url}/circle` })(never))).toMatchObject({
    message: expect.stringContaining("more than 3 redirects"),
  });
  expect(circled).toBe(4);
});

test.each([
  ["another port", (other: string, _mine: string) => other],
  ["another host", (other: string) => other.replace("127.0.0.1", "localhost")],
  ["another host, without its protocol", (other: string) => other.replace("http:", "")],
  ["the same server with other credentials", (_: string, mine: string) => mine.replace("//", "//u:p@")],
  ["https on another host", () => "https://localhost/latest"],
  ["https of the same host", (other: string) => other.replace("http:", "https:")],
  ["another protocol", () => "ftp://127.0.0.1/"],
  ["what is no URL", () => "http://:"],
])("does not follow a redirect to %s, and tells it no key", async (_name, redirectTo) => {
  const asked: (string | undefined)[] = [];
  const other = await serve((request, response) => {
    asked.push(request.url);
    send(response, 200, good);
  });
  let mine = 0;
  const url: string = await serve((request, response) => {
    mine++;
    const query = new URL(request.url ?? "", url).search;
    send(response, 307, "", { location: `${redirectTo(other, url)}${query}` });
  });
  const problem = await failure(
    ratesApi({ url: url.replace("//", "//user:pass@"), accessKey: "k3y" })(never),
  );
  expect(problem).toMatchObject({
    name: "RatesError",
    message: `the rates API at ${new URL(url).host} failed: it redirects to another address: put the one that answers into RATES_URL`,
  });
  expect([mine, asked]).toEqual([1, []]);
});

describe("fails with a sentence that names the host and the problem:", () => {
  const cases: [string, (request: IncomingMessage, response: ServerResponse) => void, string][] = [
    ["500", (_, response) => send(response, 500, good), "it answered with status 500"],
    ["404", (_, response) => send(response, 404), "it answered with status 404"],
    ["403", (_, response) => send(response, 403), "it answered with status 403: check RATES_API_KEY"],
    ["304", (_, response) => send(response, 304), "it answered with status 304"],
    ["204", (_, response) => send(response, 204), "the answer is not JSON"],
    ["a redirect to nowhere", (_, response) => send(response, 302), "it answered with status 302"],
    ["garbage", (_, response) => send(response, 200, "<html>"), "the answer is not JSON"],
    [
      "bytes that are no text",
      (_, response) => response.end(Buffer.from([0xff, 0xfe])),
      "its answer is not UTF-8",
    ],
    [
      "success: false",
      (_, response) => send(response, 200, '{"success":false,"error":{"type":"invalid_access_key"}}'),
      "the answer reports a failure (invalid_access_key)",
    ],
    ["a connection cut at once", (request) => request.socket.destroy(), "it cannot be reached"],
    [
      "a connection cut in the answer",
      (_, response) => {
        response.writeHead(200, { "content-length": "1000" });
        response.write(good, () => response.destroy());
      },
      "it cannot be reached",
    ],
  ];
  test.each(cases)("%s", async (_name, answer, problem) => {
    const url = await serve(answer);
    const error = await failure(ratesApi({ url })(never));
    expect(error).toBeInstanceOf(RatesError);
    expect(error).toMatchObject({
      message: expect.stringContaining(`the rates API at ${new URL(url).host} failed: `),
    });
    expect(error).toMatchObject({ message: expect.stringContaining(problem) });
  });

  test("nobody listening", async () => {
    const error = await failure(ratesApi({ url: `http://127.0.0.1:${await freePort()}` })(never));
    expect(error).toMatchObject({ message: expect.stringContaining("it cannot be reached (ECONNREFUSED)") });
  });

  test("a port that fetch refuses", async () => {
    const error = await failure(ratesApi({ url: "http://127.0.0.1:6000" })(never));
    expect(error).toMatchObject({ message: expect.stringContaining("it cannot be reached (bad port)") });
  });
});

describe("stops reading", () => {
  test("an answer without end at the limit, long before the timeout", async () => {
    let sent = 0;
    const url = await serve((_request, response) => {
      const chunk = "x".repeat(64 * 1024);
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on("drain", more);
      more();
    });
    const error = await failure(ratesApi({ url, timeout: 30_000 })(never));
    expect(error).toMatchObject({
      message: expect.stringContaining("its answer is longer than 1048576 bytes"),
    });
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  test("an answer that unpacks to more than the limit", async () => {
    const packed = gzipSync(Buffer.alloc(2 * 1024 * 1024, " "));
    const url = await serve((_, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(packed),
    );
    const error = await failure(ratesApi({ url })(never));
    expect(error).toMatchObject({ message: expect.stringContaining("longer than 1048576 bytes") });
  });

  test("one that never begins, at the timeout", async () => {
    const url = await serve(() => {});
    const error = await failure(ratesApi({ url, timeout: 50 })(never));
    expect(error).toMatchObject({ message: expect.stringContaining("no complete answer within 0.05 s") });
  });

  test("one that never ends, at the timeout", async () => {
    const url = await serve((_, response) => response.write(good));
    const error = await failure(ratesApi({ url, timeout: 200 })(never));
    expect(error).toMatchObject({ message: expect.stringContaining("no complete answer within 0.2 s") });
  });

  test("when the caller's signal fires, with its reason", async () => {
    const stop = new AbortController();
    const reason = new Error("shutting down");
    const url = await serve(() => stop.abort(reason));
    expect(await failure(ratesApi({ url })(stop.signal))).toBe(reason);
  });
});

describe("keeps the access key to itself", () => {
  test.each([
    [
      "in an answer that repeats it",
      (_: IncomingMessage, r: ServerResponse) =>
        send(r, 200, '{"success":false,"error":{"type":"secretkey"}}'),
    ],
    [
      "in a redirect that repeats it",
      (q: IncomingMessage, r: ServerResponse) => send(r, 302, "", { location: `ftp://x${q.url}` }),
    ],
    ["when cut off", (q: IncomingMessage) => q.socket.destroy()],
  ])("%s", async (_name, answer) => {
    const url = await serve(answer);
    const error = await failure(ratesApi({ url, accessKey: "secretkey" })(never));
    if (!(error instanceof Error)) throw new Error("no error");
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain("secretkey");
    expect(error.cause).toBeUndefined();
  });

  test.each(["not a url?access_key=secretkey", "ftp://secretkey@host/", ""])(
    "in the URL %j that cannot be used",
    (url) => {
      const build = () => ratesApi({ url, accessKey: "secretkey" });
      expect(build).toThrow("RATES_URL is not an http or https URL");
    },
  );
});

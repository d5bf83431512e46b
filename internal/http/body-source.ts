import type { IncomingMessage } from "node:http";
import { type Readable, Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { Problem } from "../service/problem.ts";

/** A request's body, decompressed. */
export interface BodySource {
  /** Its error is a Problem where the body itself is to blame; any other means that the sender went away. */
  readonly stream: Readable;
  /** The announced length as sent; NaN where there is none. */
  readonly contentLength: number;
  /** Memory that reading takes beside the bytes read, for the budget of bodies. */
  readonly overheadBytes: number;
  /** Discards the rest of the request without decompressing it: the connection stays usable. */
  discard(): void;
}

/** The state of an inflate stream, its window and the chunks it holds (zlib.net, "Technical Details": 44 KiB and buffers). */
const gunzipBytes = 128 * 1024;
const mostRatio = 100;
/** Up to this size any ratio is fine: small bodies of similar events compress well. */
const freeBytes = 2 ** 20;

/** The body of a request. A body compressed other than by gzip comes as it is: `mediaTypeOf` refuses it. */
export function sourceOf(raw: IncomingMessage): BodySource {
  return /^(x-)?gzip$/i.test(raw.headers["content-encoding"] ?? "") ? gunzipped(raw) : plain(raw);
}

function plain(raw: IncomingMessage): BodySource {
  return {
    stream: raw,
    contentLength: Number(raw.headers["content-length"]),
    overheadBytes: 0,
    discard: () => void raw.on("error", () => undefined).resume(),
  };
}

/**
 * A few bytes may inflate a thousandfold, and all of them cost work, so the ratio is limited to `mostRatio`. The request
 * itself stays intact, so that an answer can be sent before its end.
 */
function gunzipped(raw: IncomingMessage): BodySource {
  const gunzip = createGunzip();
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > freeBytes && bytes > mostRatio * gunzip.bytesWritten)
        done(new Problem(413, `The body becomes more than ${mostRatio} times as large as it was sent.`));
      else done(null, chunk);
    },
  });
  const onCut = (cause?: Error): void => {
    if (!raw.readableEnded) stream.destroy(cause ?? new Error("the request was cut"));
  };
  raw.on("error", onCut).on("close", onCut).pipe(gunzip).pipe(stream);
  gunzip.on("error", (cause) =>
    stream.destroy(new Problem(400, "The body is not gzip, though its Content-Encoding says so.", { cause })),
  );
  // The reader gets the error; there may be no reader any more.
  stream.on("error", () => undefined).on("close", () => void gunzip.destroy());
  return {
    stream,
    contentLength: Number(raw.headers["content-length"]),
    overheadBytes: gunzipBytes,
    discard: () => {
      raw.unpipe(gunzip);
      stream.destroy();
      raw.on("error", () => undefined).resume();
    },
  };
}

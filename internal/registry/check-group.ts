import { type FieldError, fieldError } from "../casino/field-error.ts";
import { Unavailable } from "../service/unavailable.ts";
import type { Datum } from "./check-terms.ts";
import type { JobEnd } from "./check-worker.ts";

export interface Schema {
  readonly type: string;
  /** Identifies it to the thread: equal texts have equal digests. */
  readonly digest: string;
  /** JSON text. */
  readonly schema: string;
}

interface Waiting extends Datum {
  readonly schema: string;
  readonly resolve: (errors: readonly FieldError[]) => void;
  readonly reject: (err: Unavailable) => void;
}

const mostDataInSlice = 256;
/** Texts cross to the thread, which holds them all at once. */
const mostCharsInSlice = 2 ** 21;

/** What one client sent in one turn of the event loop. */
export class CheckGroup {
  readonly since = performance.now();
  /** CPU time, in ms. */
  spentMs = 0;
  readonly #waiting: Waiting[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add({ type, digest, schema }: Schema, data: unknown): Promise<readonly FieldError[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly FieldError[]>();
    this.#waiting.push({ type, digest, schema, text: JSON.stringify(data), resolve, reject });
    return promise;
  }

  /** As many of the first as may cross to the thread at once, at least one. */
  slice(): readonly (Datum & { readonly schema: string })[] {
    const slice: Waiting[] = [];
    let chars = 0;
    for (const one of this.#waiting) {
      chars += one.text.length;
      if (slice.length === mostDataInSlice || (slice.length > 0 && chars > mostCharsInSlice)) break;
      slice.push(one);
    }
    return slice;
  }

  /** Answers the decided ones. @returns the schema that could not be compiled in time, with the sentence about it */
  settle({ decided, refused, ended, tookMs }: JobEnd): readonly [string, readonly FieldError[]] | undefined {
    this.spentMs += tookMs;
    let uncompilable: readonly [string, readonly FieldError[]] | undefined;
    for (const [index, { digest, resolve }] of this.#waiting.splice(0, decided).entries()) {
      const errors = refused.get(index) ?? [];
      if (ended === "compile" && index === decided - 1) uncompilable = [digest, errors];
      resolve(errors);
    }
    return uncompilable;
  }

  /** Nobody knows whether these are valid. @param beyondBudget whether that is the answer, or they are to be tried again */
  leave(because: string, beyondBudget: "refuse" | "wait"): void {
    const sentence = `was not checked, because ${because}: send it again, with fewer others`;
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (beyondBudget === "refuse") resolve([fieldError("", sentence)]);
      else reject(new Unavailable(`the event was not checked, because ${because}`));
    }
  }

  reject(err: Unavailable): void {
    for (const one of this.#waiting.splice(0)) one.reject(err);
  }
}

import type { Decode } from "../actor/open.ts";
import { notAhead } from "../casino/ahead.ts";
import {
  type CustomTypes,
  type Decoded,
  decodeEnriched,
  decodeEnrichedValue,
  decodeRaw,
} from "../casino/decode.ts";
import { bytesOf } from "../messages/enclosed.ts";
import { acceptedAt } from "../messages/envelope.ts";
import { rawStage } from "../messages/subjects.ts";

/** What reading raw events needs from outside. */
export interface EventTypes {
  /**
   * Reads with the types that the client may send. Returns a promise where it takes a look-up; it rejects with
   * `Unavailable`.
   */
  decode(client: string, read: (types: CustomTypes) => Decoded): Decoded | Promise<Decoded>;
}

/** Another format than JSON that producers may send, by its media type. */
export interface RawForm {
  readonly mediaType: string;
  readonly decode: (payload: Uint8Array, types: CustomTypes) => Decoded;
}

export interface DecoderOptions {
  readonly types: EventTypes;
  /** Raw events may also have this format, if they say so. */
  readonly other?: RawForm;
  /** How far after its acceptance a raw event may be dated; Infinity takes any date. */
  readonly maxAheadMs: number;
}

/** How the step that reads this stage decodes its events. */
export function decoder(takesFrom: string, { types, other, maxAheadMs }: DecoderOptions): Decode {
  if (takesFrom !== rawStage)
    return ({ bytes, value }) =>
      bytes === undefined ? decodeEnrichedValue(value, anyType) : decodeEnriched(bytes, anyType);
  return (event) => {
    const { envelope, mediaType } = event;
    const read = other !== undefined && mediaType === other.mediaType ? other.decode : decodeRaw;
    return types.decode(envelope.client, (custom) =>
      notAhead(read(bytesOf(event), custom), acceptedAt(envelope), maxAheadMs),
    );
  };
}

/** The first step has checked the data; its type may have changed or gone since. */
const anyType: CustomTypes = () => () => [];

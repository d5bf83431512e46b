import type { Decode } from "../actor/work.ts";
import { type CustomTypes, type Decoded, decodeEnriched, decodeRaw } from "../casino/decode.ts";
import { rawStage } from "../jetstream/subjects.ts";

/** What reading raw events needs of the world. */
export interface EventTypes {
  /** Reads with the types that a client can send; a promise where it takes a look-up, rejecting with `Unavailable`. */
  decode(client: string, read: (types: CustomTypes) => Decoded): Decoded | Promise<Decoded>;
}

/** Another form than JSON that producers may send, by its media type. */
export interface RawForm {
  readonly mediaType: string;
  readonly decode: (payload: Uint8Array, types: CustomTypes) => Decoded;
}

/** How the step that takes from this stage reads what it gets; raw events also in `other` form, if they say so. */
export function decoder(takesFrom: string, types: EventTypes, other?: RawForm): Decode {
  if (takesFrom !== rawStage) return (payload) => decodeEnriched(payload, anyType);
  return (payload, client, contentType) => {
    const isOther = other !== undefined && mediaTypeOf(contentType) === other.mediaType;
    return types.decode(client, (custom) => (isOther ? other.decode : decodeRaw)(payload, custom));
  };
}

/** `Application/X; charset=y` is `application/x`. */
function mediaTypeOf(contentType: string): string {
  const [mediaType = ""] = contentType.split(";");
  return mediaType.trim().toLowerCase();
}

/** The first step has checked the data; its type may have been changed or removed since. */
const anyType: CustomTypes = () => () => [];

import { type CustomTypes, type Decoded, decodeEnriched, decodeRaw } from "../casino/decode.ts";
import { rawStage } from "../jetstream/subjects.ts";

/** What reading raw events needs of the world. */
export interface EventTypes {
  /** Reads with the types that a client can send; a promise where it takes a look-up, rejecting with `Unavailable`. */
  decode(client: string, read: (types: CustomTypes) => Decoded): Decoded | Promise<Decoded>;
}

/** How the step that takes from this stage reads what it gets. */
export function decoder(
  takesFrom: string,
  types: EventTypes,
): (payload: Uint8Array, client: string) => Decoded | Promise<Decoded> {
  if (takesFrom !== rawStage) return (payload) => decodeEnriched(payload, anyType);
  return (payload, client) => types.decode(client, (custom) => decodeRaw(payload, custom));
}

/** The first step has checked the data; its type may have been changed or removed since. */
const anyType: CustomTypes = () => () => [];

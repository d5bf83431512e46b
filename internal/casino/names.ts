import { isClient, isEventType, isSource } from "./event.ts";

// Names that people type: each function throws an Error whose message completes the sentence "NAME must …".

export const clientName = ofForm(isClient, "[a-z0-9-]{1,40}");
/** Reads the name of a client's source. */
export const sourceName = ofForm(isSource, "[A-Za-z0-9._-]{1,64}");
export const eventTypeName = ofForm(isEventType, "[a-z0-9_-]{1,40}");

function ofForm(fits: (text: string) => boolean, form: string): (text: string) => string {
  return (text) => {
    if (!fits(text)) throw new Error(`be of the form ${form}`);
    return text;
  };
}

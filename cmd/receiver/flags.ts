import { names } from "../../internal/service/config-values.ts";

/** The receiver's command line. */
export const receiverFlags = {
  clients: { value: "A,B", doc: "clients whose events are sent here; default casino", parse: names },
} as const;

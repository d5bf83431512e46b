import { names } from "../../internal/service/config-values.ts";

/** The receiver's command line. */
export const receiverFlags = {
  clients: { value: "A,B", doc: "whose events come here; default casino", parse: names },
} as const;

/** The ids of the events in these messages, single or bundled, in order. */
export const idsIn = (messages: readonly { readonly text: string }[]): readonly number[] =>
  messages
    .flatMap(({ text }) => text.trim().split("\n"))
    .map((line) => JSON.parse(line))
    .map(({ id, event }) => id ?? event.id);

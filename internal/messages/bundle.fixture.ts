/** The ids of the events in these messages, each in one of its own or several in a bundle, in their order. */
export const idsIn = (messages: readonly { readonly text: string }[]): readonly number[] =>
  messages
    .flatMap(({ text }) => text.trim().split("\n"))
    .map((line) => JSON.parse(line))
    .map(({ id, event }) => id ?? event.id);

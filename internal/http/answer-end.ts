import type { FastifyReply, FastifyRequest } from "fastify";

/** Calls `then` once: when the answer is sent or its connection ends, and at once where the connection has ended. */
export function onAnswerEnd(
  { raw: { socket } }: Pick<FastifyRequest, "raw">,
  { raw: answer }: Pick<FastifyReply, "raw">,
  then: () => void,
): void {
  if (socket.destroyed) {
    then();
    return;
  }
  const onClose = (): void => {
    answer.off("close", onClose);
    socket.off("close", onClose);
    then();
  };
  answer.once("close", onClose);
  // An answer queued behind another one on its connection does not learn of the connection's end.
  socket.once("close", onClose);
}

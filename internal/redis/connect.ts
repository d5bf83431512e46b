/** Whether Redis answered with an error, such as that it is full (OOM) or a replica (READONLY): it is not away. */
export const isReply = (err: unknown): err is Error => err instanceof Error && err.name === "ReplyError";

/**
 * For ioredis' `reconnectOnError`: whether a connection should be made anew, which is so when its Redis became a replica. A new
 * one may reach the Redis that took over. Around scripts Redis puts other words before this one.
 */
export const hasBecomeReplica = (err: Error): boolean => /\bREADONLY\b/.test(err.message);

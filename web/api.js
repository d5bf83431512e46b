/** What a route answered when it was not what was asked for: its problem document. */
export class Problem extends Error {
  /** @param {number} status @param {{ detail?: string }} body */
  constructor(status, body) {
    super(body.detail ?? `The gateway answered with ${status}.`);
    this.status = status;
    this.body = body;
  }
}

/** Called when a session has ended, wherever that was noticed. */
let onEnded = () => {};
/** @param {() => void} hear */
export const whenEnded = (hear) => {
  onEnded = hear;
};

/**
 * Asks the gateway. The cookie goes along by itself; the header tells that it was this page that asked.
 * @param {string} method @param {string} path @param {unknown} [body] a text goes as it is, anything else as JSON
 * @throws {Problem}
 */
export async function ask(method, path, body) {
  const headers = { "x-croupier": "dashboard" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, { method, headers, body: text });
  } catch {
    throw new Problem(0, { detail: "The gateway does not answer: is it running?" });
  }
  if (response.status === 204) return undefined;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401 && path !== "/dashboard/session") onEnded();
  throw new Problem(response.status, answer);
}

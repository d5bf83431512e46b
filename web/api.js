/** An error answer of a route: its problem document. */
export class Problem extends Error {
  /** @param {number} status @param {{ detail?: string }} body */
  constructor(status, body) {
    super(body.detail ?? `The gateway answered with ${status}.`);
    this.status = status;
    this.body = body;
  }
}

/** Called when any request finds that the session has ended. */
let onEnded = () => {};
/** @param {() => void} hear */
export const whenEnded = (hear) => {
  onEnded = hear;
};

/**
 * Sends a request to the gateway. The browser adds the session's cookie; the header proves that this page sent the request.
 * @param {string} method @param {string} path @param {unknown} [body] a string is sent unchanged, anything else as JSON
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

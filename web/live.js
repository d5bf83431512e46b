import { ask } from "./api.js";

/**
 * The gateway's stream of updates. It reconnects by itself, and is closed while the page is hidden.
 * @param {string} query the stream's query, "" for no tail
 * @param {{ history: (data) => void, frame: (data) => void, tail: (events) => void, state: (text: string) => void, ended: () => void }} on
 *   state: "live", "connecting" or "lost"
 * @returns {() => void} closes it
 */
export function openStream(query, on) {
  let source;
  let heardAt = 0;
  let again;
  const open = () => {
    if (source !== undefined || document.hidden) return;
    on.state("connecting");
    source = new EventSource(`/dashboard/stream${query}`);
    const hear = (name, take) =>
      source.addEventListener(name, ({ data }) => {
        heardAt = Date.now();
        take(JSON.parse(data));
      });
    hear("history", on.history);
    hear("frame", (frame) => {
      on.state("live");
      on.frame(frame);
    });
    hear("tail", on.tail);
    hear("ended", on.ended);
    source.onerror = () => {
      on.state("lost");
      // A browser gives up on an answer that is no stream, and hides it: an error while the gateway starts, or the session has
      // ended.
      if (source?.readyState === EventSource.CLOSED) {
        close();
        again = setTimeout(open, 2_000);
        ask("GET", "/dashboard/session").catch(({ status }) => status === 401 && on.ended());
      }
    };
  };
  const close = () => {
    clearTimeout(again);
    source?.close();
    source = undefined;
  };
  const look = () => (document.hidden ? close() : open());
  // A hanging connection raises no error.
  const watch = setInterval(() => {
    if (source === undefined || Date.now() - heardAt < 5_000) return;
    on.state("lost");
  }, 1_000);
  document.addEventListener("visibilitychange", look);
  open();
  return () => {
    document.removeEventListener("visibilitychange", look);
    clearInterval(watch);
    close();
  };
}

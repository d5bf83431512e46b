/**
 * The stream of what happens, opened again by itself when it breaks, closed while nobody can see the page.
 * @param {string} query of the stream, "" for no tail
 * @param {{ history: (data) => void, frame: (data) => void, tail: (events) => void, state: (text: string) => void, ended: () => void }} on
 *   state: "live", "connecting" or "lost"
 * @returns {() => void} ends it
 */
export function openStream(query, on) {
  let source;
  let heardAt = 0;
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
      // A browser gives up for good on an answer that is no stream, as while the gateway starts.
      if (source?.readyState === EventSource.CLOSED) {
        close();
        setTimeout(open, 2_000);
      }
    };
  };
  const close = () => {
    source?.close();
    source = undefined;
  };
  const look = () => (document.hidden ? close() : open());
  // A connection that hangs says nothing of it.
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

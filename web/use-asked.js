import { ask } from "./api.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";

/**
 * The answer of a route, requested when a view opens and whenever `again` is called.
 * @param {string} path
 * @returns {{ answer: any, problem: string, again: () => Promise<void>, doing: (work: () => Promise<unknown>) => Promise<void>, busy: boolean }}
 *   answer: undefined until it arrives; doing: runs a change, shows its error if it fails, and requests the answer again
 */
export function useAsked(path) {
  const [answer, setAnswer] = useState(undefined);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const wanted = useRef(path);
  wanted.current = path;
  const again = async () => {
    try {
      const found = await ask("GET", path);
      // An answer may come after that to a later question.
      if (wanted.current !== path) return;
      setAnswer(found);
      setProblem("");
    } catch (error) {
      if (wanted.current !== path) return;
      setProblem(
        error.status === 404
          ? "This gateway is of an older version, which does not have this."
          : error.message,
      );
    }
  };
  const doing = async (work) => {
    setBusy(true);
    try {
      await work();
      await again();
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  useEffect(() => void again(), [path]);
  return { answer, problem, again, doing, busy };
}

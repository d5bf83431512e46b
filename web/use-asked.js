import { ask } from "./api.js";
import { useEffect, useState } from "./vendor/hooks.js";

/**
 * What a route answers, asked when a view opens and again when `again` is called.
 * @param {string} path
 * @returns {{ answer: any, problem: string, again: () => Promise<void>, doing: (work: () => Promise<unknown>) => Promise<void>, busy: boolean }}
 *   answer: undefined until it is there; doing: runs what changes something, says what went wrong with it, and asks again
 */
export function useAsked(path) {
  const [answer, setAnswer] = useState(undefined);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const again = async () => {
    try {
      setAnswer(await ask("GET", path));
      setProblem("");
    } catch (error) {
      setProblem(
        error.status === 404 ? "This gateway does not have this: it is of an older version." : error.message,
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

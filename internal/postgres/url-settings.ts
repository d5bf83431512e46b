/** What a URL says about the pool; what it leaves open is undefined. */
interface UrlSettings {
  /** Most connections. */
  readonly max?: number;
  /** How long a statement may take, in ms; 0 = without end. */
  readonly statementTimeoutMs?: number;
  /** As Postgres takes them at a start, such as `-c search_path=casino`; empty where there are none. */
  readonly options: string;
  /** The URL without these. */
  readonly url: string;
}

/** Takes out of a URL's query what is settled here. `pg` lets all that it finds in a URL win over what stands beside it. */
export function takeUrlSettings(text: string): UrlSettings {
  const url = new URL(text);
  const take = (name: string): string | undefined => {
    const value = url.searchParams.get(name) ?? undefined;
    url.searchParams.delete(name);
    return value;
  };
  const [max, timeout, options = ""] = [take("max"), take("statement_timeout"), take("options")];
  return {
    ...(max === undefined ? {} : { max: Number(max) }),
    ...(timeout === undefined ? {} : { statementTimeoutMs: Number(timeout) }),
    options,
    url: url.href,
  };
}

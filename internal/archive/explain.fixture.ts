import { type RawBuilder, sql } from "kysely";
import type { Database } from "../postgres/connect.ts";

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly Plan[];
}

/** Runs a query and returns its plan's nodes with their tables, and the maximum rows that a node read. */
export async function explain(
  db: Database,
  query: RawBuilder<unknown>,
): Promise<{ readonly kinds: readonly string[]; readonly mostRead: number }> {
  const explained = await sql<{ "QUERY PLAN": readonly [{ readonly Plan: Plan }] }>`
    explain (analyze, format json) ${query}`.execute(db);
  const nodes: Plan[] = [];
  const walk = (plan: Plan) => {
    nodes.push(plan);
    for (const child of plan.Plans ?? []) walk(child);
  };
  for (const row of explained.rows) walk(row["QUERY PLAN"][0].Plan);
  const read = nodes.map(
    (node) => (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"],
  );
  const kinds = nodes.map((node) => `${node["Node Type"]} ${node["Relation Name"] ?? ""}`);
  return { kinds, mostRead: Math.max(...read) };
}

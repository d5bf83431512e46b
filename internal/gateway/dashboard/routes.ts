import type { FastifyInstance } from "fastify";
import type { RouteContext } from "../../http/route-context.ts";
import type { Database } from "../../postgres/connect.ts";
import { Live, type LiveOptions } from "./live.ts";
import { addPages } from "./pages.ts";
import { addSetupRoutes } from "./setup.ts";
import { addSignIn } from "./sign-in.ts";
import { streamTo } from "./stream.ts";
import { Tails } from "./tails.ts";

export interface DashboardDependencies extends LiveOptions {
  /** Where clients, keys, sessions and event types are kept. */
  readonly db: Database;
}

/** Adds the dashboard: its page, signing in, and what it shows as it happens. */
export async function addDashboardRoutes(
  app: FastifyInstance,
  dependencies: DashboardDependencies,
  context: Omit<RouteContext, "slices">,
): Promise<void> {
  const { keys, behindKey, log, stopping } = context;
  const { db } = dependencies;
  await addPages(app);
  await addSignIn(app, { keys, db, log }, context);
  await addSetupRoutes(app, { db, log }, context);
  const live = new Live(dependencies);
  app.addHook("onClose", async () => live.close());
  app.get(
    "/dashboard/stream",
    { ...behindKey, exposeHeadRoute: false, schema: { hide: true } },
    streamTo({ keys, live, tails: new Tails(dependencies.nc), stopping }),
  );
}

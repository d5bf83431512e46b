import { Ajv2020 } from "ajv/dist/2020.js";
import type { TestServer } from "../../test/harness/restartable.ts";
import type { Database } from "../postgres/connect.ts";
import { gatewayForTest } from "./gateway.fixture.ts";

type Examples = Readonly<Record<string, { readonly value: unknown }>>;
interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { readonly schema: object; readonly examples?: Examples }>>;
  };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<Record<string, { readonly schema: object }>>;
      }
    >
  >;
}
export interface Document {
  readonly openapi: string;
  readonly info: object;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The gateway's description of its API, and the routes that it really has. */
export async function describedApi(server: TestServer, db: Database) {
  const { app } = await gatewayForTest(server, db);
  const document: Document = (await app.inject("/openapi.json")).json();
  const routes = routesIn(app.printRoutes({ commonPrefix: false }));
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
  return { document, routes, operations };
}

/** The routes in the framework's drawing of its tree, in which a child's path goes on where its parent's ends. */
function routesIn(tree: string): readonly string[] {
  const parents: string[] = [];
  return [...tree.matchAll(/^([│ ]*)[├└]── (\S+)(?: \((.+)\))?$/gm)].flatMap(
    ([, indent = "", part, methods]) => {
      const depth = indent.length / 4;
      parents[depth] = (parents[depth - 1] ?? "") + part;
      return methods === undefined ? [] : methods.split(", ").map((method) => `${method} ${parents[depth]}`);
    },
  );
}

/** Compiles schemas of the document, formats aside. */
export function validator({ components }: Document) {
  const ajv = new Ajv2020({ strict: false, formats: { "date-time": true, binary: true } });
  return (schema: object) => {
    const complete = JSON.stringify({ ...schema, $defs: components.schemas });
    return ajv.compile(JSON.parse(complete.replaceAll("#/components/schemas/", "#/$defs/")));
  };
}

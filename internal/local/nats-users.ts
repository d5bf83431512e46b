import { randomBytes } from "node:crypto";
import { resolve } from "node:path";

/** The file with all permissions on the bus. */
export const natsConfig = resolve(import.meta.dirname, "../../nats.conf");

/** The users of nats.conf: services, by their names, and people. */
export const natsRoles = [
  "gateway",
  "enricher",
  "materializer",
  "logger",
  "archiver",
  "sender",
  "generator",
  "operator",
  "inspector",
  "producer-casino",
] as const;

export type NatsRole = (typeof natsRoles)[number];

/** The users of nats.conf, with passwords for one server. */
export interface NatsUsers {
  readonly variables: Readonly<Record<string, string>>;
  credentials(role: NatsRole): { readonly user: NatsRole; readonly pass: string };
  /** A server's URL with this user's credentials in it. */
  url(role: NatsRole, server: string): string;
}

/**
 * Generates a password for each user.
 * @param anonymous the user of anonymous connections; undefined = they are refused
 */
export function natsUsers(anonymous: NatsRole | undefined): NatsUsers {
  const passwords = new Map(natsRoles.map((role) => [role, randomBytes(16).toString("hex")]));
  const credentials = (role: NatsRole) => ({ user: role, pass: passwords.get(role) ?? "" });
  return {
    variables: {
      NATS_ANONYMOUS: anonymous ?? "",
      ...Object.fromEntries(natsRoles.map((role) => [passwordVariable(role), credentials(role).pass])),
    },
    credentials,
    url(role, server) {
      const { user, pass } = credentials(role);
      return Object.assign(new URL(server), { username: user, password: pass }).href;
    },
  };
}

/** `producer-casino` → `NATS_PRODUCER_CASINO_PASSWORD` */
export function passwordVariable(role: NatsRole): string {
  return `NATS_${role.toUpperCase().replaceAll("-", "_")}_PASSWORD`;
}

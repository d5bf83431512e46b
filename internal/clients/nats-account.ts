/** What nats.conf needs for one client's producers, in its two places, and what the server's environment needs. */
export interface NatsAccount {
  readonly exported: string;
  /** An account beside CASINO. */
  readonly account: string;
  /** The variable that the account takes its user's password from. */
  readonly passwordVariable: string;
}

/**
 * The account of a client's producers. Its only user may publish the client's raw events and receive the PubAcks, on the
 * usual inboxes or under a prefix of its own. Its reply subjects reach nothing outside the account.
 * @param client of the form [a-z0-9-]{1,40}, so that account and variable names made from it are unique
 */
export function natsAccount(client: string): NatsAccount {
  const name = client.toUpperCase().replaceAll("-", "_");
  const user = `producer-${client}`;
  const subject = `casino.event.raw.${client}`;
  const passwordVariable = `NATS_PRODUCER_${name}_PASSWORD`;
  return {
    exported: `      { service: "${subject}", accounts: [CLIENT_${name}] }\n`,
    account: `  CLIENT_${name} {
    imports: [{ service: { account: CASINO, subject: "${subject}" } }]
    users: [
      {
        user: ${user}
        password: $${passwordVariable}
        permissions: {
          subscribe: ["_INBOX.>", "_INBOX_${user}.>"]
          publish: ["${subject}"]
        }
      }
    ]
  }
`,
    passwordVariable,
  };
}

/** The same for people to paste: each part under a comment that says where it goes. */
export function pasteable({ exported, account }: NatsAccount): string {
  return `# nats.conf, one more line among the exports of account CASINO:
${exported}
# nats.conf, one more account after CASINO, within accounts:
${account}`;
}

/** The running stack that acceptance tests speak to: what `bin/up --json` printed, kept in a file by bin/test. */
import { readFileSync } from 'node:fs';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';

const port = Type.Integer({ minimum: 1, maximum: 65535 });

const stackSchema = Type.Object({
  /** Base URL of the api, without /api/v1 */
  api: Type.String(),
  /** API token of the demo domain: MailPace-Server-Token, and the SMTP password */
  token: Type.String(),
  organizationToken: Type.String(),
  /** The demo domain */
  domain: Type.String(),
  smtp: Type.Object({ host: Type.String(), starttls: port, tls: port, alternative: port }),
  inbound: Type.Object({ host: Type.String(), port }),
  sandbox: Type.Object({ http: Type.String(), smtp: Type.Unknown(), dns: Type.Unknown() }),
});
export type Stack = Static<typeof stackSchema>;

/** The facts of the stack that POSTERN_TEST_STACK names. Throws when there is none: acceptance tests need it. */
export function readStack(): Stack {
  const file = process.env.POSTERN_TEST_STACK;
  if (!file) throw new Error('POSTERN_TEST_STACK is not set: run the tests by bin/test');
  return Value.Parse(stackSchema, JSON.parse(readFileSync(file, 'utf8')));
}

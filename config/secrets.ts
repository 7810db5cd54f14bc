/** What makes a secret too weak to start with, and how secrets are shown to people. */
import type { Settings } from './schema.ts';

const MASTER_KEY_BYTES = 32;
const MIN_TOKEN_CHARACTERS = 24;

export function findSecretProblems({ secrets, environment, gateway }: Settings): string[] {
  const problems: string[] = [];
  const keys = secrets.key.split(',');
  if (keys.length > 2 || keys.some((key) => Buffer.from(key, 'base64').length !== MASTER_KEY_BYTES)) {
    problems.push(
      `secrets.key: must be ${MASTER_KEY_BYTES} bytes in base64 (openssl rand -base64 ${MASTER_KEY_BYTES}), or two such keys with a comma between during a rotation`,
    );
  }
  for (const name of ['serviceToken', 'intakePassword'] as const) {
    if (secrets[name].length < MIN_TOKEN_CHARACTERS) {
      problems.push(`secrets.${name}: must have at least ${MIN_TOKEN_CHARACTERS} characters`);
    }
  }
  if (environment === 'production' && !(gateway.certificateFile && gateway.privateKeyFile)) {
    problems.push('gateway.certificateFile, gateway.privateKeyFile: required in production');
  }
  return problems;
}

/** The settings as `postern config check` prints them: no secret, no password in an URL. */
export function maskSecrets(settings: Settings): unknown {
  return JSON.parse(
    JSON.stringify(settings, (key, value: unknown) => {
      if (key === 'secrets')
        return Object.fromEntries(Object.keys(value as object).map((name) => [name, '********']));
      if (typeof value === 'string' && /^[a-z]+:\/\//.test(value))
        return value.replace(/(:\/\/[^:@/]*):[^@/]*@/, '$1:********@');
      return value;
    }),
  );
}

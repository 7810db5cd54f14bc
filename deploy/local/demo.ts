/**
 * The demo organization, domain and tokens of a development or test stack, made on the first run and kept in demo.json,
 * and what a stack looks like from outside: the object that `bin/up --json` prints.
 */
import { existsSync, readFileSync } from 'node:fs';
import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { createPublicApi } from '../../bin/public-api.ts';
import type { Settings } from '../../config/schema.ts';
import { locateInstallation } from './installation.ts';
import { writePrivateFile } from './private-file.ts';
import { runProgram } from './programs.ts';

const ORGANIZATION = 'Demo';
export const DEMO_DOMAIN = 'demo.postern.test';

const demoSchema = Type.Object({
  organizationId: Type.Integer(),
  organizationToken: Type.String(),
  domain: Type.String(),
  token: Type.String(),
  /** An operator's; missing in a demo that an older version made */
  operatorToken: Type.Optional(Type.String()),
});
export type Demo = Static<typeof demoSchema>;

/** For scripts. Ports are numbers; `api` and `sandbox.http` are base URLs without a slash at the end. */
export interface StackDescription {
  api: string;
  /** Of the demo domain: HTTP header MailPace-Server-Token, SMTP user name and password */
  token: string;
  /** HTTP header MailPace-Organization-Token */
  organizationToken: string;
  domain: string;
  /** `tls` is implicit TLS; `starttls` and `alternative` are STARTTLS */
  smtp: { host: string; starttls: number; tls: number; alternative: number };
  inbound: { host: string; port: number };
  /** `dns` over UDP and TCP */
  sandbox: { http: string; smtp: number; dns: number };
}

export function describeStack(settings: Settings, demo: Demo): StackDescription {
  const { api, gateway, inbound, sandbox } = settings;
  return {
    api: `http://${api.host}:${api.port}`,
    token: demo.token,
    organizationToken: demo.organizationToken,
    domain: demo.domain,
    smtp: {
      host: gateway.host,
      starttls: gateway.starttlsPort,
      tls: gateway.tlsPort,
      alternative: gateway.alternativePort,
    },
    inbound: { host: inbound.host, port: inbound.port },
    sandbox: {
      http: `http://${sandbox.host}:${sandbox.httpPort}`,
      smtp: sandbox.smtpPort,
      dns: sandbox.dnsPort,
    },
  };
}

/** @returns the demo, and whether it was made now: the first run, or the database is another one than it was. */
export async function prepareDemo(
  settings: Settings,
  signal: AbortSignal,
): Promise<{ demo: Demo; isNew: boolean }> {
  const file = locateInstallation(settings.directory).demoFile;
  const known = readDemo(file);
  if (known && (await isAccepted(settings, known))) return { demo: known, isNew: false };
  const demo = await createDemo(settings, signal);
  writePrivateFile(file, `${JSON.stringify(demo, null, 2)}\n`);
  return { demo, isNew: true };
}

function readDemo(file: string): Demo | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const demo: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Value.Check(demoSchema, demo) ? demo : undefined;
  } catch {
    return undefined; // edited by hand, and broken: made again
  }
}

/** No answer is no refusal: then the demo stays as it is. */
async function isAccepted(settings: Settings, { token }: Demo): Promise<boolean> {
  const { api } = settings;
  const result = await createPublicApi(`http://${api.host}:${api.port}`, { token }).showMessage(0);
  return result.ok || result.code === 0 || result.code === 404 || result.code >= 500;
}

async function createDemo(settings: Settings, signal: AbortSignal): Promise<Demo> {
  const { organizationId, organizationToken } = await runConsole(
    settings,
    Type.Object({ organizationId: Type.Integer(), organizationToken: Type.String() }),
    ['create-organization', '--name', ORGANIZATION],
    signal,
  );
  const domain = ['create-domain', '--organization', String(organizationId), '--name', DEMO_DOMAIN];
  try {
    await runConsole(settings, Type.Object({ domain: Type.String() }), domain, signal);
  } catch (error) {
    // demo.json was lost after the domain was made: its next token is as good
    if (!String(error).includes('already been taken')) throw error;
  }
  const { token } = await runConsole(
    settings,
    Type.Object({ token: Type.String() }),
    ['create-token', '--domain', DEMO_DOMAIN, '--name', 'demo'],
    signal,
  );
  const { operatorToken } = await runConsole(
    settings,
    Type.Object({ operatorToken: Type.String() }),
    ['create-operator-token', '--name', 'demo'],
    signal,
  );
  return { organizationId, organizationToken, domain: DEMO_DOMAIN, token, operatorToken };
}

/** `node api/console.ts`, which works on the database beneath the API. */
async function runConsole<S extends TSchema>(
  { directory }: Settings,
  schema: S,
  parameters: string[],
  signal: AbortSignal,
): Promise<Static<S>> {
  const output = await runProgram(directory, ['api/console.ts', ...parameters, '--json'], signal);
  return Value.Parse(schema, JSON.parse(output));
}

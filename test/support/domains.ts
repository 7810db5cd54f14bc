/** A sending domain of a test's own in the running stack, verified, with a token. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Stack } from './stack.ts';

const run = promisify(execFile);
const CONSOLE = join(import.meta.dirname, '../../api/console.ts');

/** What an operator does on the server: `node api/console.ts …`. */
export async function operate<Result>(...parameters: string[]): Promise<Result> {
  const { stdout } = await run(process.execPath, [CONSOLE, ...parameters]);
  return JSON.parse(stdout) as Result;
}

/** As a customer does it, by the API; the operator vouches for the DNS. */
export async function createDomain(stack: Stack, name: string): Promise<{ domain: string; token: string }> {
  const response = await fetch(`${stack.api}/api/v1/domains`, {
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      'mailpace-organization-token': stack.organizationToken,
    },
    body: JSON.stringify({ domain: { url: name } }),
  });
  if (response.status !== 201) throw new Error(`${name}: ${response.status} ${await response.text()}`);
  await operate('verify-domain', '--domain', name);
  return operate('create-token', '--domain', name);
}

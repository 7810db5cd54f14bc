/** How we show an ACME server that a name is ours (RFC 8555 8). */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import type { Settings } from '../../config/schema.ts';

const HOOK_TIMEOUT_MS = 300_000;
const PATH = '/.well-known/acme-challenge/';

export interface Proof {
  /** That is to be shown as ours */
  name: string;
  token: string;
  /** http-01: the body; dns-01: the TXT record */
  keyAuthorization: string;
}

export interface Responder {
  show(proof: Proof): Promise<void>;
  remove(proof: Proof): Promise<void>;
  close(): Promise<void>;
}

export function openResponder({
  challenge,
  httpPort,
  dnsHook,
}: Settings['certificates']): Promise<Responder> {
  return challenge === 'http-01' ? listen(httpPort) : Promise.resolve(useHook(dnsHook));
}

/** RFC 8555 8.3. Answers what was asked for, and nothing else. @throws where the port is taken, or needs a privilege */
async function listen(port: number): Promise<Responder> {
  const answers = new Map<string, string>();
  const server = createServer((request, response) => {
    const answer = answers.get(request.url ?? '');
    if (answer === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(answer);
  });
  server.listen(port);
  await once(server, 'listening');
  return {
    show: async ({ token, keyAuthorization }) => void answers.set(`${PATH}${token}`, keyAuthorization),
    remove: async ({ token }) => void answers.delete(`${PATH}${token}`),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** RFC 8555 8.4. No shell: the value is an argument of its own. */
function useHook(program: string): Responder {
  const run = async (action: 'present' | 'remove', { name, keyAuthorization }: Proof) => {
    const record = `_acme-challenge.${name.replace(/^\*\./, '')}`;
    try {
      await promisify(execFile)(program, [action, record, keyAuthorization], { timeout: HOOK_TIMEOUT_MS });
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      throw new Error(`certificates.dnsHook ${action} failed: ${stderr?.trim() || message}`);
    }
  };
  return {
    show: (proof) => run('present', proof),
    remove: (proof) => run('remove', proof),
    close: async () => {},
  };
}

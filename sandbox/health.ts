/** Whether DNS and SMTP answer, asked the way a client asks. */
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';

const TIMEOUT_MS = 1_500;

/** @throws when a question gets no answer */
export async function checkDns(host: string, port: number): Promise<void> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  resolver.setServers([host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`]);
  await resolver.resolve4('health.test');
}

/** @throws when no greeting comes */
export async function checkSmtp(host: string, port: number): Promise<void> {
  const socket = connect(port, host);
  try {
    const [greeting] = await once(socket, 'data', { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!String(greeting).startsWith('220')) throw new Error(`unexpected greeting: ${greeting}`);
  } finally {
    socket.destroy();
  }
}

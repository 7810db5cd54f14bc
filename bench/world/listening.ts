/** Whether servers are there. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { explainTakenPort } from '../../deploy/local/ports.ts';

const ANSWER_TIMEOUT_MS = 5_000;

/** Whether somebody listens on this port of loopback. Found without a connection: sinks count those. */
export async function isListening(port: number): Promise<boolean> {
  const reason = await explainTakenPort({ process: 'bench', host: '127.0.0.1', port, transport: 'tcp' });
  return reason !== undefined;
}

/** Whether an SMTP server takes mail now: a server that starts may listen before it can, and greet with 421. */
export async function isTakingMail(port: number): Promise<boolean> {
  const socket = createConnection({ host: '127.0.0.1', port });
  try {
    const [greeting] = await once(socket, 'data', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return String(greeting).startsWith('220');
  } catch {
    return false; // refused, or no word: not yet
  } finally {
    socket.destroy();
  }
}

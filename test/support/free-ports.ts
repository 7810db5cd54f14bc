import { randomInt } from 'node:crypto';
import { explainTakenPort } from '../../deploy/local/ports.ts';

/** Ports of loopback below 32768, where Linux begins to hand them out to outgoing connections. */
export async function findFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(30_001, 32_767);
    const reason = await explainTakenPort({ process: 'test', host: '127.0.0.1', port, transport: 'tcp' });
    if (reason === undefined) ports.add(port);
  }
  return [...ports];
}

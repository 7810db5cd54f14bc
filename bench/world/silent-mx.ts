/** An MX that is dead in the worst way: it accepts connections and never says a word. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { mxAddresses } from '../../sandbox/domains.ts';

/** Where the domains that `refused` is a label of have their MX; without a server there, connections are refused. */
export async function startSilentMx(port: number): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // the sender gave up
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, mxAddresses.nobody);
  await once(server, 'listening');
  return {
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

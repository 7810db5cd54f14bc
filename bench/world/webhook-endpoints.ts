/** Endpoints of customers in one server: those that are well by any path, and the dead one, as bad as it is asked to be. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { json } from 'node:stream/consumers';

/** `silent`: never answers. `failing`: answers 500. (One that refuses connections is a port where nobody listens.) */
export const deaths = ['silent', 'refusing', 'failing'] as const;
export type Death = (typeof deaths)[number];

export interface WebhookEndpoints {
  /** Calls of those that are well: from the event to here, in milliseconds */
  delaysMs: number[];
  close(): Promise<void>;
}

/** @param port as in the URLs `http://127.0.0.1:<port>/well/<n>` and `…/silent`, `…/failing` */
export async function startWebhookEndpoints(port: number): Promise<WebhookEndpoints> {
  const delaysMs: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(async (request, response) => {
    const receivedAt = Date.now();
    const { payload } = (await json(request)) as { payload: { updated_at: string } };
    if (request.url === '/silent') return;
    if (request.url === '/failing') return void response.writeHead(500).end();
    delaysMs.push(receivedAt - Date.parse(payload.updated_at));
    response.writeHead(204).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    delaysMs,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

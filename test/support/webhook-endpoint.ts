/** A customer's endpoint on loopback: keeps what it got, and answers as a test says. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ReceivedWebhook {
  path: string;
  method: string;
  headers: IncomingHttpHeaders;
  raw: Buffer;
  body: { event: string; payload: Record<string, unknown> };
  at: number;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

export interface WebhookEndpoint {
  url: string;
  received: ReceivedWebhook[];
  /** Undefined: the connection is closed. A promise that does not resolve lets the sender wait. */
  answer: (webhook: ReceivedWebhook) => Reply | undefined | Promise<Reply | undefined>;
  /** Resolves when there are so many, or throws after ten seconds. */
  waitFor(count: number): Promise<ReceivedWebhook[]>;
  close(): Promise<void>;
}

const OK: Reply = { status: 200 };

/** @param port 0: any free one */
export async function startWebhookEndpoint(port = 0): Promise<WebhookEndpoint> {
  const received: ReceivedWebhook[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const raw = Buffer.concat(chunks);
      const { url: path = '', method = '', headers } = request;
      const webhook = { path, method, headers, raw, body: JSON.parse(raw.toString()), at: Date.now() };
      received.push(webhook);
      const reply = await endpoint.answer(webhook);
      if (reply) response.writeHead(reply.status, reply.headers).end(reply.body);
      else request.socket.destroy();
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const endpoint: WebhookEndpoint = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: () => OK,
    async waitFor(count) {
      for (let waited = 0; received.length < count; waited += 10) {
        if (waited > 10_000) throw new Error(`${received.length} webhooks of ${count} came`);
        await sleep(10);
      }
      return received;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return endpoint;
}

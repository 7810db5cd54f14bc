/** Mail as the inbound server gives it to the api. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NewInboundMessage } from '../../../lib/rpc/contracts/inbound-messages.ts';
import type { Changes } from '../../support/settings.ts';
import type { Tenant, TestApi } from '../support.ts';
import { startWebhookApi, type WebhookApi } from '../webhooks/support.ts';

export const AUTHENTICATION = {
  spf: { result: 'pass', domain: 'example.com' },
  dkim: [{ result: 'pass', domain: 'example.com', selector: 's1' }],
  dmarc: { result: 'pass', domain: 'example.com', policy: 'reject' },
  arc: { result: 'none' },
};

/** `changes` are merged into a valid request. */
export async function receive(
  { app, settings }: TestApi,
  address: string,
  message: string | Buffer,
  changes: Partial<NewInboundMessage> = {},
  // biome-ignore lint/suspicious/noExplicitAny: whatever the api answers
): Promise<{ status: number; body: any }> {
  const content = Buffer.from(message);
  const response = await app.inject({
    method: 'POST',
    url: '/rpc/v1/inbound_messages',
    headers: { authorization: `Bearer ${settings.secrets.serviceToken}` },
    payload: {
      digest: hash('sha256', Buffer.concat([content, Buffer.from(address)])),
      message: content.toString('base64'),
      envelope: { from: 'bob@example.com', to: [{ address, routeId: 1 }] },
      client: { ip: '192.0.2.1', helo: 'mx.example.com', host: 'mx.example.com' },
      authentication: AUTHENTICATION,
      spam: { score: 1.5, action: 'no action', symbols: [{ name: 'X', score: 1.5 }] },
      virus: null,
      ...changes,
    },
  });
  return { status: response.statusCode, body: response.json() };
}

/** A message with so many files. */
export function attachedMessage(files: number): string {
  const part = (number: number) =>
    `--b\r\nContent-Type: text/plain; name=${number}.txt\r\nContent-Disposition: attachment; filename=${number}.txt\r\n\r\nfile ${number}\r\n`;
  return [
    'From: Bob <bob@example.com>\r\nTo: ann@example.org\r\nSubject: files\r\nMIME-Version: 1.0\r\n',
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n',
    ...Array.from({ length: files }, (_, index) => part(index + 1)),
    '--b--\r\n',
  ].join('');
}

export interface InboundWorld {
  api: WebhookApi;
  /** Of rich.test */
  tenant: Tenant;
  call(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    payload?: object,
    token?: string,
    // biome-ignore lint/suspicious/noExplicitAny: whatever the api answers
  ): Promise<{ status: number; body: any }>;
  /** As the inbound server asks at RCPT. Undefined: nobody has it. */
  lookUp(address: string): Promise<unknown>;
  /** A route that keeps what comes, unless `changes` say otherwise. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the api answers
  createRoute(address: string, changes?: object): Promise<any>;
  /** The message when it has this status; throws after five seconds. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the api answers
  reaches(id: number, status: string): Promise<any>;
  close(): Promise<void>;
}

/** An api that takes mail for rich.test, and sends what it has to tell of it. */
export async function startInboundApi(prefix: string, settings: Changes = {}): Promise<InboundWorld> {
  const api = await startWebhookApi(prefix, {}, settings);
  const tenant = await api.createTenant({ domain: 'rich.test' });
  const dispatcher = api.startDispatcher();
  const call: InboundWorld['call'] = async (method, path, payload, token = tenant.token) => {
    const headers = { 'mailpace-server-token': token };
    const request = { method, url: `/api/v1${path}`, headers, ...(payload && { payload }) };
    const response = await api.app.inject(request);
    return { status: response.statusCode, body: response.json() };
  };
  return {
    ...{ api, tenant, call },
    async lookUp(address) {
      const headers = { authorization: `Bearer ${api.settings.secrets.serviceToken}` };
      const url = `/rpc/v1/recipients/${encodeURIComponent(address)}`;
      const response = await api.app.inject({ url, headers });
      return response.statusCode === 404 ? undefined : response.json();
    },
    async createRoute(address, changes = {}) {
      const { status, body } = await call('POST', '/inbound_routes', {
        address,
        target: 'store',
        ...changes,
      });
      assert.equal(status, 201, JSON.stringify(body));
      return body;
    },
    async reaches(id, status) {
      for (let waited = 0; waited < 500; waited++) {
        const { body } = await call('GET', `/inbound_messages/${id}`);
        if (body.status === status) return body;
        await sleep(10);
      }
      throw new Error(`message ${id} did not become ${status}`);
    },
    async close() {
      await dispatcher.close();
      await api.close();
    },
  };
}

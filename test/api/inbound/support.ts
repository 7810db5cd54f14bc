/** Mail as the inbound server gives it to the api. */
import { hash } from 'node:crypto';
import type { NewInboundMessage } from '../../../lib/rpc/contracts/inbound-messages.ts';
import type { TestApi } from '../support.ts';

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

/** An SMTP conversation with the inbound server. */
import assert from 'node:assert/strict';
import { DialogClient } from '../dialogs/client.ts';
import type { TestInbound } from './test-inbound.ts';

export async function openSession({ host, port }: Pick<TestInbound, 'host' | 'port'>): Promise<DialogClient> {
  const client = await DialogClient.open(host, port, { tls: false });
  assert.match(await client.readReply(), /^220 /);
  assert.match(await ask(client, 'EHLO client.example'), /^250-/);
  return client;
}

export async function ask(client: DialogClient, line: string): Promise<string> {
  await client.send(`${line}\r\n`);
  return client.readReply();
}

/** Up to DATA. @returns once 354 has come */
export async function beginMessage(client: DialogClient, recipient = 'hello@shop.example'): Promise<void> {
  assert.match(await ask(client, 'MAIL FROM:<a@out.example>'), /^250 /);
  assert.match(await ask(client, `RCPT TO:<${recipient}>`), /^250 /);
  assert.match(await ask(client, 'DATA'), /^354 /);
}

/** One message in a session of its own. @param content as on the wire, without the end. @returns the reply to it */
export async function sendMessage(
  target: Pick<TestInbound, 'host' | 'port'>,
  content: Buffer | string,
  recipient?: string,
): Promise<string> {
  const client = await openSession(target);
  try {
    await beginMessage(client, recipient);
    await client.send(Buffer.isBuffer(content) ? content : Buffer.from(content, 'latin1'));
    await client.send('\r\n.\r\n');
    return await client.readReply();
  } finally {
    client.close();
  }
}

/** Sessions that are past AUTH, for tests of what comes then. */
import assert from 'node:assert/strict';
import { DialogClient } from '../dialogs/client.ts';
import type { DialogTarget } from '../dialogs/runner.ts';

/** Over implicit TLS, past EHLO. @param localAddress to come from */
export async function openSession({ smtp }: DialogTarget, localAddress = '127.0.0.1'): Promise<DialogClient> {
  const client = await DialogClient.open(smtp.host, smtp.tls, { tls: true, localAddress });
  assert.match(await client.readReply(), /^220 /);
  assert.match(await ask(client, 'EHLO client.example'), /^250-/);
  return client;
}

/** As openSession, past AUTH */
export async function logIn(target: DialogTarget): Promise<DialogClient> {
  const client = await openSession(target);
  assert.match(await authenticate(client, target), /^235 2\.7\.0 /);
  return client;
}

/** AUTH PLAIN with this user name and password; the reply */
export async function showCredentials(client: DialogClient, name: string, password = name): Promise<string> {
  return ask(client, `AUTH PLAIN ${Buffer.from(`\0${name}\0${password}`).toString('base64')}`);
}

export async function authenticate(client: DialogClient, { token }: DialogTarget): Promise<string> {
  return showCredentials(client, token);
}

export async function ask(client: DialogClient, line: string): Promise<string> {
  await client.send(`${line}\r\n`);
  return client.readReply();
}

/** Up to 354; the recipients are taken */
export async function startMessage(
  client: DialogClient,
  { domain }: DialogTarget,
  recipients = ['bob@receiver.example'],
): Promise<void> {
  assert.match(await ask(client, `MAIL FROM:<ann@${domain}>`), /^250 2\.1\.0 /);
  for (const recipient of recipients)
    assert.match(await ask(client, `RCPT TO:<${recipient}>`), /^250 2\.1\.5 /);
  assert.match(await ask(client, 'DATA'), /^354 /);
}

/** The reply to the final dot */
export async function sendMessage(
  client: DialogClient,
  target: DialogTarget,
  content = `From: ann@${target.domain}\r\nTo: bob@receiver.example\r\n\r\nHello\r\n`,
): Promise<string> {
  await startMessage(client, target);
  await client.send(Buffer.from(`${content}.\r\n`, 'latin1'));
  return client.readReply();
}

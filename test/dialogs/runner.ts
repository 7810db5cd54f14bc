/** Plays dialog files against a gateway, and looks after each whether the gateway still answers. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { DialogClient } from './client.ts';
import { type Dialog, fillIn, parseDialog, readBytes, type Step } from './dialog.ts';

export interface DialogTarget {
  smtp: { host: string; starttls: number; tls: number; alternative: number };
  /** API token of `domain` */
  token: string;
  domain: string;
}

type Facts = Readonly<Record<string, string>>;
type Clients = Map<string, DialogClient>;

const directory = new URL('./', import.meta.url);

/**
 * Makes a mocha test of each dialog file. The target is asked for when the tests run.
 * @param heard is given each reply of the server
 */
export function describeDialogs(
  readTarget: () => DialogTarget,
  heard: (reply: string) => void = () => {},
): void {
  for (const file of readdirSync(directory)
    .filter((name) => name.endsWith('.dialog'))
    .sort()) {
    const dialog = parseDialog(readFileSync(new URL(file, directory), 'utf8'));
    it(`${dialog.title} (${file})`, async () => {
      for (const reply of await runDialog(dialog, readTarget())) heard(reply);
      await expectAlive(readTarget());
    });
  }
}

/** @returns all replies of the server */
export async function runDialog(dialog: Dialog, target: DialogTarget): Promise<string[]> {
  const clients: Clients = new Map();
  try {
    for (const step of dialog.steps) {
      try {
        await takeStep(step, clients, target);
      } catch (error) {
        throw new Error(`line ${step.line}, ${step.verb} ${step.argument}: ${(error as Error).message}`);
      }
    }
  } finally {
    for (const client of clients.values()) client.close();
  }
  return [...clients.values()].flatMap(({ replies }) => replies);
}

/** A fresh session is greeted and served. */
export async function expectAlive({ smtp }: DialogTarget): Promise<void> {
  const client = await DialogClient.open(smtp.host, smtp.starttls, { tls: false });
  await expectReply(client, '220 ');
  for (const [command, reply] of [
    ['EHLO alive.example', '250-'],
    ['NOOP', '250 2\\.0\\.0 '],
    ['QUIT', '221 2\\.0\\.0 '],
  ] as const) {
    await client.send(`${command}\r\n`);
    await expectReply(client, reply);
  }
  client.close();
}

async function takeStep(step: Step, clients: Clients, target: DialogTarget): Promise<void> {
  const { connection, verb } = step;
  const argument = fillIn(step.argument, factsOf(target));
  if (verb === 'connect') {
    clients.set(connection, await openListener(target, argument));
    return;
  }
  if (verb === 'login') {
    await logIn(connection, clients, target);
    return;
  }
  const client = clients.get(connection);
  assert.ok(client, `there is no connection ${connection}`);
  await act(client, verb, argument, target);
}

async function act(
  client: DialogClient,
  verb: string,
  argument: string,
  target: DialogTarget,
): Promise<void> {
  switch (verb) {
    case '->':
      return client.send(`${argument}\r\n`);
    case '=>':
      return client.send(readBytes(argument));
    case '=1>':
      return client.sendSlowly(readBytes(argument), 1);
    case '<~':
      return expectReply(client, argument);
    case 'repeat':
      return repeat(client, argument);
    case 'starttls':
      return startTls(client);
    case 'handshake':
      return client.handshake(argument === '' ? {} : JSON.parse(argument));
    case 'fails':
      await assert.rejects(client.handshake(argument === '' ? {} : JSON.parse(argument)));
      return;
    case 'auth':
      return authenticate(client, target);
    case 'closed':
      return client.expectClosed();
    default:
      throw new Error('unknown verb');
  }
}

async function openListener({ smtp }: DialogTarget, name: string): Promise<DialogClient> {
  assert.ok(name === 'starttls' || name === 'tls' || name === 'alternative', `there is no listener ${name}`);
  return DialogClient.open(smtp.host, smtp[name], { tls: name === 'tls' });
}

async function logIn(connection: string, clients: Clients, target: DialogTarget): Promise<void> {
  const client = await openListener(target, 'starttls');
  clients.set(connection, client);
  await expectReply(client, '220 ');
  await say(client, 'EHLO client.example', '250-');
  await startTls(client);
  await say(client, 'EHLO client.example', '250-');
  await authenticate(client, target);
}

async function startTls(client: DialogClient): Promise<void> {
  await say(client, 'STARTTLS', '220 ');
  await client.handshake();
}

async function authenticate(client: DialogClient, target: DialogTarget): Promise<void> {
  await say(client, `AUTH PLAIN ${plain(target.token)}`, '235 2\\.7\\.0 ');
}

async function repeat(client: DialogClient, argument: string): Promise<void> {
  const [count, ...rest] = argument.split(' ');
  const bytes = readBytes(rest.join(' '));
  const times = Number(count);
  const batch = Buffer.concat(Array.from({ length: Math.min(times, 1_000) }, () => bytes));
  for (let sent = 0; sent < times; sent += 1_000) {
    await client.send(batch.subarray(0, bytes.length * Math.min(1_000, times - sent)));
  }
}

async function say(client: DialogClient, line: string, reply: string): Promise<void> {
  await client.send(`${line}\r\n`);
  await expectReply(client, reply);
}

async function expectReply(client: DialogClient, pattern: string): Promise<void> {
  const reply = await client.readReply();
  assert.match(reply, new RegExp(`^(?:${pattern})`, 's'));
}

/** What no log may show, plain and as AUTH sends it */
export function secretsOf(target: DialogTarget): string[] {
  const { token, tokenBase64, tokenPlain, wrongPlain, wrongPasswordPlain } = factsOf(target);
  return ['S3cr3t-canary', token, tokenBase64, tokenPlain, wrongPlain, wrongPasswordPlain].flatMap(
    (secret) => secret ?? [],
  );
}

function factsOf({ token, domain }: DialogTarget): Facts {
  return {
    token,
    domain,
    tokenBase64: base64(token),
    tokenPlain: plain(token),
    wrongPlain: plain('wrong-token-S3cr3t-canary'),
    wrongUserPlain: base64(`\0somebody\0${token}`),
    wrongPasswordPlain: base64(`\0${token}\0S3cr3t-canary`),
    foreignAuthzidPlain: base64(`admin\0${token}\0${token}`),
    unterminatedPlain: base64(token),
    controlPlain: base64(`\0us\ner\0${token}`),
  };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** RFC 4616: authzid NUL authcid NUL passwd */
const plain = (token: string) => base64(`\0${token}\0${token}`);

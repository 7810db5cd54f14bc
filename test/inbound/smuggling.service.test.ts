/** What is no end of a message, is none here either, and a wrong line end is refused at the right one. */
import assert from 'node:assert/strict';
import { ask, beginMessage, openSession, sendMessage } from './session.ts';
import { startTestInbound, type TestInbound } from './test-inbound.ts';

const HEADER = 'From: a@out.example\r\nTo: hello@shop.example\r\n\r\n';
const SECOND =
  'MAIL FROM:<evil@out.example>\r\nRCPT TO:<sales@shop.example>\r\nDATA\r\nFrom: evil@out.example\r\n\r\nx';

const sequences: readonly (readonly [id: string, sequence: string])[] = [
  ['SM-1', '\n.\n'],
  ['SM-2', '\n.\r\n'],
  ['SM-3', '\r\n.\n'],
  ['SM-4', '\r.\r'],
  ['SM-5', '\r.\n'],
  ['SM-6', '\n.\r'],
  ['SM-7', '\r.\r\n'],
  ['SM-8', '\r\n.\r'],
  ['SM-9', '\r\n\0.\r\n'],
  ['SM-10', '\r\n.\0\r\n'],
  ['SM-11', '\r\n.\r\r\n'],
  ['SM-11', '\r\r\n.\r\r\n'],
  ['SM-12', '\n\n.\r\n'],
  ['SM-12', '\r\n. \r\n'],
  ['SM-13, over the limit', `${'b'.repeat(400_000)}\n.\n`],
];

describe('smuggling into the inbound server', () => {
  let started: TestInbound;
  before(async () => {
    started = await startTestInbound({
      commandTimeoutMs: 1_500,
      dataTimeoutMs: 3_000,
      dataRateWindowMs: 600,
      minDataBytesPerSecond: 500,
      maxConnectionsPerClient: 3,
    });
  });
  beforeEach(() => {
    started.api.messages.length = 0;
  });
  after(() => started.close());

  for (const [id, sequence] of sequences) {
    it(`${id}: ${JSON.stringify(sequence.slice(-12))} ends nothing`, async () => {
      const reply = await sendMessage(started, `${HEADER}one${sequence}${SECOND}`);
      const isRefused = /^5\d\d 5\./.test(reply);
      assert.ok(isRefused || reply.startsWith('250 '), reply);
      assert.equal(started.api.messages.length, isRefused ? 0 : 1);
      assert.doesNotMatch(JSON.stringify(started.api.messages.map(({ envelope }) => envelope)), /evil|sales/);
    });
  }

  it('SM-16: what comes before 354 is no message; MAIL may follow the dot at once', async () => {
    const early = await openSession(started);
    await ask(early, 'MAIL FROM:<a@out.example>');
    await ask(early, 'RCPT TO:<hello@shop.example>');
    await early.send(`DATA\r\n${HEADER}x\r\n.\r\n`);
    assert.match(await early.readReply(), /^(354|5)/);
    early.close();

    const client = await openSession(started);
    await beginMessage(client);
    await client.send(`${HEADER}x\r\n.\r\nMAIL FROM:<b@out.example>\r\nRCPT TO:<sales@shop.example>\r\n`);
    for (let count = 0; count < 3; count += 1) assert.match(await client.readReply(), /^250 /);
    client.close();
  });

  it('SM-19: after a refusal at the dot there is no transaction', async () => {
    const client = await openSession(started);
    await beginMessage(client);
    await client.send(`${HEADER}a\0\r\n.\r\n`);
    assert.match(await client.readReply(), /^550 5\.6\.0 /);
    assert.match(await ask(client, 'RCPT TO:<hello@shop.example>'), /^503 /);
    assert.match(await ask(client, 'DATA'), /^503 /);
    client.close();
  });

  it('SM-20: BDAT and unknown verbs amid a transaction are refused, and the session goes on', async () => {
    const client = await openSession(started);
    await ask(client, 'MAIL FROM:<a@out.example>');
    assert.match(await ask(client, 'BDAT 5 LAST'), /^500 /);
    assert.match(await ask(client, '__proto__'), /^500 /);
    assert.match(await ask(client, 'DATA'), /^503 /);
    assert.match(await ask(client, 'INTERNALCMD performShutdown'), /^500 /);
    client.close();
  });

  it('RS-1: a command that drips in is ended by its deadline', async () => {
    const client = await openSession(started);
    const drip = setInterval(() => void client.send('N').catch(() => {}), 100);
    assert.match(await client.readReply(), /^421 4\.4\.2 /);
    clearInterval(drip);
    client.close();
  });

  it('RS-2: a message that comes in too slowly is ended', async () => {
    const client = await openSession(started);
    await beginMessage(client);
    const drip = setInterval(() => void client.send('x').catch(() => {}), 100);
    assert.match(await client.readReply(), /^421 4\.4\.2 /);
    clearInterval(drip);
    client.close();
  });

  it('RS-4: one address has its share of sessions, and gets it back', async () => {
    const clients = [await openSession(started), await openSession(started), await openSession(started)];
    await assert.rejects(openSession(started), /421 4\.7\.0/);
    for (const client of clients) client.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    (await openSession(started)).close();
  });
});

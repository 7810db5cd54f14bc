import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import type { Envelope } from '../../lib/mta-types.ts';
import { createSpamHooks } from '../../plugins/spam.ts';

const THRESHOLDS = { mark: 6, hold: 10, refuse: 15 };
const FIELDS = 'X-Postern-Message: 1\r\nX-Postern-Spam-Thresholds: 6,10,15\r\n';
const MESSAGE = 'From: a@sender.test\r\nX-Postern-Other: kept\r\n\r\nHello\r\n';

describe('spam plugin', () => {
  const warnings: unknown[] = [];
  const log = { warn: (facts: object) => void warnings.push(facts) };
  let added: string[] = [];
  let seen: Promise<Buffer> | undefined;

  function envelope(isChecked = true): Envelope {
    const headers = {
      getList: () => [],
      getFirst: () => '',
      hasHeader: () => false,
      remove() {},
      addFormatted: (_key: string, line: string | Buffer) => void added.push(String(line)),
    };
    const identity = { messageId: 1, organizationId: 1, domain: 'sender.test' };
    const postern = isChecked ? { ...identity, spamThresholds: THRESHOLDS } : identity;
    return { id: 'q1', from: 'a@sender.test', to: ['b@one.test'], headers, postern };
  }

  function hooks(answer: number | Error, onFailure: 'defer' | 'accept' = 'defer') {
    added = [];
    warnings.length = 0;
    const rspamd = {
      async check(content: Buffer | Readable) {
        seen = Buffer.isBuffer(content) ? Promise.resolve(content) : buffer(content);
        if (typeof answer !== 'number') throw answer;
        await seen;
        return { score: answer, symbols: [{ name: 'RULE', score: answer }] };
      },
    };
    return createSpamHooks({ rspamd, onFailure, log });
  }

  async function check(
    answer: number | Error,
    { isChecked = true, onFailure = 'defer' as 'defer' | 'accept' } = {},
  ) {
    const message = envelope(isChecked);
    const { look, decide } = hooks(answer, onFailure);
    look(message, Buffer.from(FIELDS + MESSAGE));
    await decide(message);
    return message;
  }

  it('lets a message through and says its score', async () => {
    assert.equal((await check(1.5)).replyNote, 'spam=1.50 (RULE 1.50)');
    assert.deepEqual(added, []);
  });

  it('shows rspamd the message without the fields of the worker', async () => {
    await check(0);

    assert.equal(String(await seen), MESSAGE);
  });

  it('marks, holds and refuses by the thresholds of the organization', async () => {
    await check(6);
    assert.deepEqual(added, ['X-Spam: Yes']);
    await assert.rejects(check(10), { response: '550 5.7.0 Held for review: spam=10.00 (RULE 10.00)' });
    await assert.rejects(check(20), { response: '550 5.7.1 Refused as spam: spam=20.00 (RULE 20.00)' });
  });

  it('asks nothing of a message that was released', async () => {
    seen = undefined;
    assert.equal((await check(20, { isChecked: false })).replyNote, undefined);
    assert.equal(seen, undefined);
  });

  it('defers what could not be checked, or sends it, as it is set', async () => {
    await assert.rejects(check(new Error('down')), { response: /^451 4\.3\.0/, action: 'defer' });
    assert.equal((await check(new Error('down'), { onFailure: 'accept' })).replyNote, undefined);
    assert.equal(warnings.length, 1);
  });

  it('defers a message that it has not seen at all', async () => {
    await assert.rejects(hooks(0).decide(envelope()), { response: /^451 4\.3\.0/ });
  });

  it('checks a long message while it comes in, and does not hold it up', async () => {
    const pieces = [FIELDS + MESSAGE, ...Array.from({ length: 50 }, () => 'x'.repeat(65_536))];
    const long = envelope();
    const { look, decide } = hooks(2);
    const stream = Readable.from(pieces.map((piece) => Buffer.from(piece)));

    look(long, stream);
    await decide(long);

    assert.equal(String(await seen), MESSAGE + pieces.slice(1).join(''));
    assert.equal(long.replyNote, 'spam=2.00 (RULE 2.00)');
  });

  it('drains a long message that rspamd does not want', async () => {
    const message = envelope();
    const stream = Readable.from(Array.from({ length: 50 }, () => Buffer.alloc(65_536)));
    const ended = new Promise((resolve) => stream.once('end', resolve));
    const rspamd = {
      async check(content: Buffer | Readable): Promise<never> {
        await turn();
        if (!Buffer.isBuffer(content)) content.destroy();
        throw new Error('no');
      },
    };
    const { look, decide } = createSpamHooks({ rspamd, onFailure: 'defer', log });

    look(message, stream);

    await assert.rejects(decide(message), { response: /^451/ });
    await ended;
  });
});

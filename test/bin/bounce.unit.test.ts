import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runPosternIn } from '../support/postern.ts';

describe('bin/postern bounce explain', () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-bounce-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  const explain = async (...parameters: string[]) => {
    const { code, stdout, stderr } = await runPosternIn(directory, ['bounce', 'explain', ...parameters]);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  it('says what a reply means, and by which rule', async () => {
    const text = await explain('--reply', '550 5.1.1 <u@example.com>: User unknown');

    assert.match(text, /recipient-unknown/);
    assert.match(text, /hard/);
    assert.match(text, /suppress/);
    assert.match(text, /common:\d+/);
  });

  it('prints a line of JSON for each mail', async () => {
    const bounce = join(directory, 'bounce.eml');
    const letter = join(directory, 'letter.eml');
    const abuse = join(directory, 'abuse.eml');
    writeFileSync(
      bounce,
      'From: MAILER-DAEMON@mx.test\nSubject: failure notice\n\n<u@example.com>:\nRemote host said: 552 5.2.2 Mailbox full\n',
    );
    writeFileSync(letter, 'From: a@b.test\nSubject: Hello\n\nHello.\n');

    writeFileSync(
      abuse,
      'Subject: complaint\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: v@example.com\n--b--\n',
    );

    const lines = (await explain(bounce, letter, abuse))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

    const recipient = {
      recipient: 'u@example.com',
      class: 'mailbox-full',
      hard: false,
      status: '5.2.2',
      action: 'retry',
    };
    const complainer = {
      recipient: 'v@example.com',
      class: 'complaint',
      hard: false,
      status: null,
      action: 'suppress',
    };
    assert.deepEqual(lines, [
      { file: bounce, kind: 'bounce', recipients: [recipient] },
      { file: letter, kind: 'none', recipients: [] },
      { file: abuse, kind: 'complaint', recipients: [complainer] },
    ]);
  });

  it('wants something to explain', async () => {
    await assert.rejects(explain(), /name a file, or give --reply/);
  });
});

/** Our SMTP connection says what nodemailer's says, in fewer pieces. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const FRAME = 'Subject: a\r\n\r\n\r\n.\r\n'.length;

function deliver(bytes: number): {
  info: { response: string };
  commands: string[];
  pieces: number;
  data: number;
} {
  const output = execFileSync(
    process.execPath,
    [
      '--import',
      join(ROOT, 'mta/preload.ts'),
      join(import.meta.dirname, 'smtp-connection-run.ts'),
      String(bytes),
    ],
    { cwd: ROOT, encoding: 'utf8' },
  );
  return JSON.parse(output);
}

describe('the SMTP connection of a sender', () => {
  it('writes the envelope at once, and a short message at once', () => {
    const { info, commands, pieces, data } = deliver(4_000);

    assert.equal(info.response, '250 2.0.0 taken');
    assert.equal(commands[1], 'MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nDATA\r\n');
    assert.equal(pieces, 1);
    assert.equal(data, 4_000 + FRAME);
  });

  it('delivers a message that is longer than what a socket takes at a time', () => {
    const { info, data } = deliver(5_000_000);

    assert.equal(info.response, '250 2.0.0 taken');
    assert.equal(data, 5_000_000 + FRAME);
  });
});

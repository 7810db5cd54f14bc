/** Our SMTP connection says what nodemailer's says, in fewer pieces. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const FRAME = 'Subject: a\r\n\r\n\r\n.\r\n'.length;

function run(...given: string[]) {
  const program = join(import.meta.dirname, 'smtp-connection-run.ts');
  const parameters = ['--import', join(ROOT, 'mta/preload.ts'), program, ...given];
  return JSON.parse(execFileSync(process.execPath, parameters, { cwd: ROOT, encoding: 'utf8' }));
}

function deliver(bytes: number): {
  info: { response: string };
  commands: string[];
  pieces: number;
  data: number;
} {
  return run(String(bytes));
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

  for (const [what, greeting] of [
    ['the last line of a reply', '220-Welcome\r\n220-please wait\r\n'],
    ['the end of a line', '220 Welco'],
  ] as const) {
    it(`does not wait for ever for ${what} (OB-6), and the next host is tried`, () => {
      assert.deepEqual(run('greeting', greeting), {
        message: 'The reply of the server never ended',
        code: 'ETIMEDOUT',
      });
    });
  }
});

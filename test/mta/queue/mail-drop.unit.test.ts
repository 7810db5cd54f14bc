/** Our mail-drop gives the queue what ZoneMTA's would have given it, byte for byte. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';

const ROOT = join(import.meta.dirname, '../../..');
/** The log reads the settings, which are not complete without. */
const SECRETS = {
  POSTERN_SECRET_KEY: randomBytes(32).toString('base64'),
  POSTERN_SERVICE_TOKEN: randomBytes(24).toString('hex'),
  POSTERN_INTAKE_PASSWORD: randomBytes(24).toString('hex'),
};

interface Given {
  way: 'bytes' | 'stream';
  body: string;
  reply: string;
  envelope: { headers: unknown; dkim: { bodyHash: string }; bodySize: number; sourceMd5: string };
}

/** What the queue was given for each message, in ZoneMTA's way and in ours. */
function dropAll(messages: Buffer[][]): { theirs: Given; ours: Given }[] {
  const output = execFileSync(
    process.execPath,
    ['--import', join(ROOT, 'mta/preload.ts'), join(import.meta.dirname, 'mail-drop-runs.ts')],
    {
      cwd: ROOT,
      input: JSON.stringify(messages.map((chunks) => chunks.map((chunk) => chunk.toString('base64')))),
      maxBuffer: 1e9,
      env: {
        ...process.env,
        ...SECRETS,
        NODE_CONFIG_DIR: join(ROOT, 'node_modules/@zone-eu/zone-mta/config'),
      },
    },
  );
  return JSON.parse(output.toString());
}

function assertSame({ theirs, ours }: { theirs: Given; ours: Given }): void {
  assert.equal(Buffer.from(ours.body, 'base64').toString(), Buffer.from(theirs.body, 'base64').toString());
  assert.deepEqual(ours.envelope.headers, theirs.envelope.headers);
  assert.equal(ours.envelope.dkim.bodyHash, theirs.envelope.dkim.bodyHash);
  assert.equal(ours.envelope.bodySize, theirs.envelope.bodySize);
  assert.equal(ours.envelope.sourceMd5, theirs.envelope.sourceMd5);
  assert.equal(ours.reply, theirs.reply);
}

const header = 'From: a@a.test\r\nTo: b@b.test\r\nSubject: a\r\n folded one\r\n';
const multipart = [
  `${header}Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n`,
  '--b\r\nContent-Type: multipart/alternative;\n boundary=c\r\n\r\n--c\r\n\r\ntext \t \r\n--c--\r\n',
  '--b\nContent-Type: message/rfc822\n\nFrom: x\n\n.inner\n--b\r\nX-Odd\r\n\r\n--b--\r\nepilogue\r\n\r\n\r\n',
].join('');
const examples: Record<string, string> = {
  'a plain one': `${header}\r\nHello\r\n\r\nWorld  \r\n\r\n\r\n`,
  'a multipart one with parts within parts': multipart,
  'one with bare line feeds': `${header.replaceAll('\r', '')}\nHello\n\nWorld\n`,
  'one with bare carriage returns': `${header}\r\nHello\r\rWorld\r`,
  'one without a body': header,
  'one without a header': '\r\nHello',
  'one that does not end its last line': `${header}\r\nHello \tWorld`,
  'an empty one': '',
};

function generateMessages(): Buffer[][] {
  const piece = fc.constantFrom(
    '\r\n',
    '\n',
    '\r',
    'a',
    'X: y',
    ' ',
    '\t',
    ':',
    '--b',
    '--',
    'é',
    '.',
    '\r\n\r\n',
  );
  const chunk = fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.from(pieces.join('')));
  const start = Buffer.from(`${header}Content-Type: multipart/mixed; boundary=b\r\n`);
  return fc.sample(
    fc.array(chunk, { maxLength: 4 }).map((chunks) => [start, ...chunks]),
    { numRuns: 200, seed: 1 },
  );
}

describe('mail-drop', () => {
  const line = `${'a'.repeat(74)}\r\n`;
  const long = [
    Buffer.from(`${header}\r\n`),
    ...Array.from({ length: 20 }, () => Buffer.alloc(76_000, line)),
  ];
  const generated = generateMessages();
  const names = Object.keys(examples);
  let results: { theirs: Given; ours: Given }[] = [];

  // One process for all: its start takes longer than the rest.
  before(() => {
    results = dropAll([...Object.values(examples).map((text) => [Buffer.from(text)]), ...generated, long]);
  });

  for (const [index, name] of names.entries()) {
    it(`gives the queue what ZoneMTA's would have given it: ${name}`, () => {
      const result = results[index];

      assert.equal(result?.ours.way, 'bytes');
      assertSame(result);
    });
  }

  it('does so whatever comes, in whatever chunks', () => {
    const own = results.slice(names.length, -1);

    assert.equal(own.length, generated.length);
    for (const result of own) assertSame(result);
  });

  it("leaves a long message to ZoneMTA's streams", () => {
    const result = results.at(-1);

    assert.equal(result?.ours.way, 'stream');
    assertSame(result);
  });
});

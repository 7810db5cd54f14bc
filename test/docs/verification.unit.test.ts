/** The programs of docs/webhooks/verification.md, taken from the page and run, each on genuine webhooks and on forged ones. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { generateWebhookKeyPair, readPrivateKey, signWebhook } from '../../api/webhooks/signature.ts';

interface Language {
  name: string;
  /** In the fence of the page */
  fence: string;
  file: string;
  command: string;
  /** Exits 0 where the language and its library are there. */
  probe: string[];
  /** Behind the page's text: answers each case on stdin by [verifyBody, verifyWebhook]. */
  harness: string;
}

/** As an application gets it, and the two answers that are right. */
interface Case {
  name: string;
  /** In base64 */
  body: string;
  headers: Record<string, string>;
  publicKey: string;
  expected: [isBodySigned: boolean, isWebhookSigned: boolean];
}

const languages: Language[] = [
  {
    name: 'Node',
    fence: 'js',
    file: 'verify.mjs',
    command: process.execPath,
    probe: ['--version'],
    harness: `
import { text } from 'node:stream/consumers';
const cases = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(cases.map(({ body: encoded, headers, publicKey }) => {
  const body = Buffer.from(encoded, 'base64');
  return [verifyBody(body, headers['x-mailpace-signature'], publicKey), verifyWebhook(body, headers, publicKey)];
})));`,
  },
  {
    name: 'Ruby',
    fence: 'ruby',
    file: 'verify.rb',
    command: 'ruby',
    probe: ['-ropenssl', '-rjson', '-e', '0'],
    harness: `
require 'json'
answers = JSON.parse($stdin.read).map do |given|
  body, headers, key = given['body'].unpack1('m'), given['headers'], given['publicKey']
  [verify_body(body, headers['x-mailpace-signature'], key), verify_webhook(body, headers, key)]
end
puts JSON.generate(answers)`,
  },
  {
    name: 'Python',
    fence: 'python',
    file: 'verify.py',
    command: 'python3',
    probe: ['-c', 'import cryptography'],
    harness: `
import json
import sys

answers = []
for given in json.load(sys.stdin):
    body, headers, key = b64decode(given["body"]), given["headers"], given["publicKey"]
    answers.append([verify_body(body, headers["x-mailpace-signature"], key), verify_webhook(body, headers, key)])
print(json.dumps(answers))`,
  },
  {
    name: 'PHP',
    fence: 'php',
    file: 'verify.php',
    command: 'php',
    probe: ['-r', 'exit(function_exists("sodium_crypto_sign_verify_detached") ? 0 : 1);'],
    harness: `
echo json_encode(array_map(function ($given) {
    $body = base64_decode($given['body']);
    [$headers, $key] = [$given['headers'], $given['publicKey']];
    return [verify_body($body, $headers['x-mailpace-signature'], $key), verify_webhook($body, $headers, $key)];
}, json_decode(file_get_contents('php://stdin'), true)));`,
  },
];

describe('docs/webhooks/verification.md (HK-14)', () => {
  let directory = '';
  let cases: Case[] = [];

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-snippets-'));
    cases = makeCases();
  });
  after(() => rmSync(directory, { recursive: true }));

  for (const language of languages) {
    it(`its ${language.name} tells genuine webhooks from forged ones`, async function () {
      if (!(await isInstalled(language))) {
        console.log(`      skipped: ${language.name} or its library for Ed25519 is not installed`);
        this.skip();
      }
      const file = join(directory, language.file);
      writeFileSync(file, `${readSnippet(language.fence)}\n${language.harness}\n`);

      const { code, stdout, stderr } = await run(language.command, [file], JSON.stringify(cases));

      assert.equal(code, 0, stderr);
      const answers = JSON.parse(stdout) as boolean[][];
      assert.deepEqual(
        cases.map(({ name }, index) => [name, answers[index]]),
        cases.map(({ name, expected }) => [name, expected]),
      );
    });
  }
});

/** The one block of the page in this language. */
function readSnippet(fence: string): string {
  const page = readFileSync('docs/webhooks/verification.md', 'utf8');
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`${fence}\\n(.*?)^\`\`\`$`, 'gms'))];
  assert.equal(blocks.length, 1, `blocks of ${fence}`);
  return blocks[0]?.[1] ?? '';
}

function makeCases(): Case[] {
  const [older, newer, stranger] = [0, 1, 2].map(generateWebhookKeyPair);
  assert.ok(older && newer && stranger);
  const body = Buffer.from('{"event":"email.queued","payload":{"subject":"Grüße 🎉"}}');
  const now = Math.floor(Date.now() / 1000);
  const signAt = (timestamp: number, signers = [older]) => {
    const [first, ...others] = signers.map(({ privateKey }) => readPrivateKey(privateKey));
    assert.ok(first);
    const id = '0a8f6a52-9f0e-4b3e-9a7c-3f1d2b6c7d8e';
    const keys = { privateKeys: [first, ...others] as const, secrets: [randomBytes(32)] };
    const signed = signWebhook({ id, timestamp, body }, keys);
    return Object.fromEntries(Object.entries(signed).map(([name, value]) => [name.toLowerCase(), value]));
  };
  const headers = signAt(now);
  const genuine = { body: body.toString('base64'), headers, publicKey: older.publicKey };
  const other = Buffer.from(body.toString().replace('queued', 'bounced')).toString('base64');
  const signatures = (text: string) => ({ ...headers, 'webhook-signature': text });
  const [v1a = ''] = headers['webhook-signature']?.split(' ') ?? [];
  return [
    { name: 'genuine', ...genuine, expected: [true, true] },
    { name: 'two keys, the older', ...genuine, headers: signAt(now, [older, newer]), expected: [true, true] },
    {
      name: 'two keys, the newer',
      ...{ ...genuine, headers: signAt(now, [older, newer]), publicKey: newer.publicKey },
      expected: [false, true],
    },
    { name: 'another body', ...genuine, body: other, expected: [false, false] },
    { name: 'another key', ...genuine, publicKey: stranger.publicKey, expected: [false, false] },
    { name: 'another id', ...genuine, headers: { ...headers, 'webhook-id': 'x' }, expected: [true, false] },
    {
      name: 'another time',
      ...{ ...genuine, headers: { ...headers, 'webhook-timestamp': String(now + 1) } },
      expected: [true, false],
    },
    { name: 'too old', ...genuine, headers: signAt(now - 310), expected: [true, false] },
    { name: 'too early', ...genuine, headers: signAt(now + 330), expected: [true, false] },
    {
      name: 'no signature of ours',
      ...genuine,
      headers: signatures('v1,abc v2,def'),
      expected: [true, false],
    },
    { name: 'junk', ...genuine, headers: signatures('v1a,!!! v1a, v1a'), expected: [true, false] },
    {
      name: 'another version',
      ...genuine,
      headers: signatures(v1a.replace('v1a', 'v1')),
      expected: [true, false],
    },
    {
      name: 'junk for the body',
      ...{ ...genuine, headers: { ...headers, 'x-mailpace-signature': 'bm9uZQ==' } },
      expected: [false, true],
    },
  ];
}

async function isInstalled({ command, probe }: Language): Promise<boolean> {
  return run(command, probe, '').then(
    ({ code }) => code === 0,
    () => false,
  );
}

async function run(command: string, parameters: string[], input: string) {
  const child = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  child.stdin.on('error', () => {}); // a probe does not read it
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

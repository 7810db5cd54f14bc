import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'mocha';
import { completeEnvironmentFile } from '../../deploy/local/environment-file.ts';
import { locateInstallation } from '../../deploy/local/installation.ts';
import { runPosternIn } from '../support/postern.ts';

interface Asked {
  request: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

describe('bin/postern', () => {
  let directory = '';
  let api: Server;
  let url = '';
  let answer: { code: number; body: object } = { code: 500, body: {} };
  /** By request, in place of `answer` */
  const answers = new Map<string, typeof answer>();
  const asked: Asked[] = [];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'postern-cli-'));
    completeEnvironmentFile(locateInstallation(directory).environmentFile, {});
    api = createServer(async (request, response) => {
      const received = await text(request);
      const name = `${request.method} ${request.url}`;
      asked.push({
        request: name,
        headers: request.headers,
        body: received ? JSON.parse(received) : undefined,
      });
      const { code, body } = answers.get(name) ?? answer;
      response.writeHead(code, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body));
    });
    api.listen(0, '127.0.0.1');
    await once(api, 'listening');
    const address = api.address();
    assert.ok(typeof address === 'object' && address);
    url = `http://127.0.0.1:${address.port}`;
  });

  afterEach(() => void asked.splice(0));

  after(() => {
    api.close();
    rmSync(directory, { recursive: true });
  });

  it('cancels a message and says what became of each recipient', async () => {
    const recipients = [{ address: 'c@d.test', status: 'delivered', outcome: 'too_late' }];
    answer = { code: 200, body: { id: 7, recipients } };
    const { code, stdout } = await postern('message', 'cancel', '7', '--token', 'secret');

    assert.deepEqual([code, asked[0]?.request], [0, 'POST /api/v1/messages/7/cancellation']);
    assert.equal(stdout, 'Message 7\n  c@d.test  too late, now delivered\n');
  });

  it('sends with recipients, bodies and attachments', async () => {
    const file = join(directory, 'note.txt');
    writeFileSync(file, 'attached');
    answer = { code: 200, body: { id: 7, status: 'pending' } };
    const { code, stdout } = await postern(
      ...['send', '--token', 'secret', '--from', 'a@b.test', '--to', 'c@d.test', 'e@f.test'],
      ...['--subject', 'S', '--text', 'T', '--attach', file],
    );
    assert.equal(code, 0);
    assert.match(stdout, /^Message 7 is pending/);
    assert.equal(asked[0]?.request, 'POST /api/v1/send');
    assert.equal(asked[0]?.headers['mailpace-server-token'], 'secret');
    assert.deepEqual(asked[0]?.body, {
      from: 'a@b.test',
      to: 'c@d.test, e@f.test',
      subject: 'S',
      textbody: 'T',
      attachments: [{ name: 'note.txt', content: Buffer.from('attached').toString('base64') }],
    });
  });

  it('says what was refused, and what to do about it', async () => {
    answer = { code: 400, body: { errors: { to: ['is invalid'] } } };
    const { code, stderr } = await postern('send', '--token', 't', '--from', 'a@b.test', '--to', 'nobody');
    assert.equal(code, 1);
    assert.match(stderr, /^postern: to is invalid\n\S/);
  });

  it('says so when nobody answers', async () => {
    const { code, stdout } = await postern(
      '--api',
      'http://127.0.0.1:1',
      '--json',
      'message',
      'show',
      '1',
      '--token',
      't',
    );
    assert.equal(code, 1);
    const { error, hint } = JSON.parse(stdout) as { error: string; hint: string };
    assert.match(error, /127\.0\.0\.1:1 does not answer/);
    assert.match(hint, /bin\/up/);
  });

  it('says where a token may come from when there is none', async () => {
    const { code, stderr } = await postern('message', 'show', '1');
    assert.equal(code, 1);
    assert.match(stderr, /--token or POSTERN_TOKEN/);
  });

  it('shows a timeline, and lets nothing in it steer the terminal (LG-1)', async () => {
    answer = { code: 200, body: message('\u001b[2Jred\u001b[0m\r\nforged line\u009b31m') };
    const { stdout } = await postern('message', 'show', '7', '--token', 't');
    assert.match(stdout, /^Message 7: delivered\n/);
    assert.match(stdout, /delivered +c@d\.test {2}by mx\.d\.test \[192\.0\.2\.1\] {2}250 2\.0\.0 OK/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    assert.equal(
      stdout.split('\n').some((line) => line.startsWith('forged')),
      false,
    );
  });

  it('makes a token for one of the domains of the organization only', async () => {
    answer = { code: 200, body: [] };
    const { code, stderr } = await postern(
      'token',
      'create',
      '--domain',
      'x.test',
      '--organization-token',
      'o',
    );
    assert.equal(code, 1);
    assert.match(stderr, /has no domain x\.test/);
    assert.equal(asked[0]?.headers['mailpace-organization-token'], 'o');
  });

  it('prints the DNS records of a new domain, long ones in several strings', async () => {
    const key = `v=DKIM1; k=rsa; p=${'A'.repeat(300)}`;
    answer = {
      code: 201,
      body: {
        id: 3,
        url: 'x.test',
        dkim_selector: 's1',
        dkim_string: key,
        dkim_verified: false,
        advanced_verified: false,
      },
    };
    const rsa = { id: 1, algorithm: 'rsa-sha256', dkim_selector: 's1', dkim_string: key, state: 'active' };
    const ed25519 = {
      ...rsa,
      id: 2,
      algorithm: 'ed25519-sha256',
      dkim_selector: 's2',
      dkim_string: 'v=DKIM1; p=B',
    };
    answers.set('GET /api/v1/domains/3/dkim_keys', { code: 200, body: [rsa, ed25519] });

    const { stdout, stderr } = await postern('domain', 'add', 'x.test', '--organization-token', 'o');

    assert.equal(stderr, '');
    assert.match(stdout, /s2\._domainkey\.x\.test\. IN TXT "v=DKIM1; p=B"/);
    assert.match(stdout, /s1\._domainkey\.x\.test\. IN TXT "v=DKIM1[^"]{248}" "A{63}"/);
    assert.match(stdout, /_dmarc\.x\.test\. IN TXT "v=DMARC1; p=none"/);
  });

  it('prints the settings in effect without a secret', async () => {
    const { code, stdout } = await postern('config', 'check', '--json');
    assert.equal(code, 0);
    const shown = JSON.parse(stdout) as { api: { port: number }; secrets: { key: string } };
    assert.equal(shown.api.port, 3000);
    assert.equal(shown.secrets.key, '********');
  });

  it('exits 78 with every problem of the settings', async () => {
    const file = locateInstallation(directory).settingsFile;
    writeFileSync(file, 'hostnam = "x"\n[api]\nport = 0\n');
    const { code, stderr } = await postern('config', 'check');
    rmSync(file);
    assert.equal(code, 78);
    assert.match(stderr, /hostnam: unknown setting\n.*api\.port: must be >= 1/);
  });

  const postern = (...parameters: string[]) => runPosternIn(directory, ['--api', url, ...parameters]);
});

function message(subject: string): object {
  return {
    id: 7,
    status: 'delivered',
    from: 'a@b.test',
    subject,
    message_id: '<x@b.test>',
    recipients: [{ address: 'c@d.test', status: 'delivered', attempts: 1 }],
    timeline: [
      { event: 'accepted', recipient: null, occurred_at: '2026-01-01T00:00:00.000Z', data: {} },
      {
        event: 'delivered',
        recipient: 'c@d.test',
        occurred_at: '2026-01-01T00:00:01.000Z',
        data: { attempt: 1, response: '250 2.0.0 OK', mx: { hostname: 'mx.d.test', address: '192.0.2.1' } },
      },
    ],
  };
}

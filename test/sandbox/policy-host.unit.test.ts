import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { createTransport } from 'nodemailer';
import { HOST, startTestSandbox, type TestSandbox } from './support.ts';

describe('certificates and policy hosts of the sandbox', () => {
  let sandbox: TestSandbox;
  before(async () => {
    sandbox = await startTestSandbox();
  });
  after(() => sandbox.close());

  async function ask(domain: string, path: string, body?: Buffer) {
    const host = `mta-sts.${domain}`;
    const question = request({
      host: HOST,
      port: sandbox.httpsPort,
      servername: host,
      path,
      ca: sandbox.authority.cert,
      method: body ? 'POST' : 'GET',
      headers: { host, ...(body && { 'content-type': 'application/tlsrpt+gzip' }) },
      agent: false,
    }).end(body);
    const [response] = await once(question, 'response');
    return { status: response.statusCode, location: response.headers.location, body: await text(response) };
  }
  const askPolicy = (domain: string) => ask(domain, '/.well-known/mta-sts.txt');

  it('has the policies of domains that have one', async () => {
    assert.equal(
      (await askPolicy('a.mta-sts-enforce.test')).body,
      'version: STSv1\r\nmode: enforce\r\nmx: mx.a.mta-sts-enforce.test\r\nmax_age: 60\r\n',
    );
    assert.match((await askPolicy('mta-sts-testing.test')).body, /mode: testing/);
    assert.equal((await askPolicy('example.test')).status, 404);
  });

  it('redirects to a policy that would be kept to', async () => {
    const { status, location = '' } = await askPolicy('mta-sts-redirect.test');
    assert.equal(status, 302);
    assert.match((await ask('mta-sts-redirect.test', location)).body, /mode: enforce\r\nmx: elsewhere\./);
  });

  it('keeps the reports that it is sent, and refuses what is none', async () => {
    const report = { 'report-id': '1' };
    assert.equal((await ask('a.test', '/tls-reports', gzipSync(JSON.stringify(report)))).status, 201);
    assert.equal((await ask('a.test', '/tls-reports', Buffer.from('x'))).status, 400);
    assert.equal((await ask('a.test', '/tls-reports', gzipSync(Buffer.alloc(2_000_000)))).status, 400);
    const list = async (domain: string) => (await fetch(sandbox.url(`/tls-reports?domain=${domain}`))).json();
    assert.deepEqual(await list('a.test'), [report]);
    assert.deepEqual(await list('b.test'), []);
  });

  async function problemOf(domain: string): Promise<string | undefined> {
    const transport = createTransport({
      host: HOST,
      port: sandbox.smtpPort,
      tls: { servername: `mx.${domain}`, ca: sandbox.authority.cert },
    });
    try {
      await transport.verify();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    } finally {
      transport.close();
    }
  }

  for (const [domain, problem] of [
    ['example.test', undefined],
    [`${'long-label.'.repeat(8)}test`, undefined],
    ['self-signed.test', /self-signed/],
    ['dane.test', /self-signed/],
    ['expired-certificate.test', /expired/],
    ['wrong-certificate.test', /does not match/],
  ] as const) {
    it(`shows the MX certificate of ${domain}`, async () => {
      const found = await problemOf(domain);
      if (problem) assert.match(found ?? 'it holds', problem);
      else assert.equal(found, undefined);
    });
  }
});

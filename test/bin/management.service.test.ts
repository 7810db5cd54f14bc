/** bin/postern against an api that listens: what operators and the owners of domains do. */
import assert from 'node:assert/strict';
import { createOperatorToken } from '../../api/models/api-token.ts';
import { startTestApi, type Tenant, type TestApi } from '../api/support.ts';
import { startTestDns, type TestDns } from '../support/dns.ts';
import { runPosternIn } from '../support/postern.ts';

describe('bin/postern, managing', () => {
  let api: TestApi;
  let dns: TestDns;
  let tenant: Tenant;
  let environment: NodeJS.ProcessEnv;
  let url: string;

  before(async () => {
    dns = await startTestDns();
    api = await startTestApi('cli', { sandbox: { dnsPort: dns.port } });
    tenant = await api.createTenant({ domain: 'cli.test', isVerified: false });
    const { token } = await createOperatorToken(api.store.pool, { name: 'ada' });
    environment = {
      POSTERN_OPERATOR_TOKEN: token,
      POSTERN_ORGANIZATION_TOKEN: tenant.organizationToken,
    };
    url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  });
  after(async () => {
    await api.close();
    await dns.close();
  });

  const run = (...parameters: string[]) =>
    runPosternIn('/nonexistent', ['--api', url, ...parameters], environment);

  async function json(...parameters: string[]) {
    const { code, stdout, stderr } = await run('--json', ...parameters);
    assert.equal(code, 0, stdout + stderr);
    return JSON.parse(stdout);
  }

  it('makes, limits, suspends and resumes an organization, and shows who did it', async () => {
    const made = await json('organization', 'create', 'Shop', '--max-domains', '3');
    assert.equal(made.max_domains, 3);
    const id = String(made.id);
    const limits = ['--max-domains', 'none', '--retention-days', '9', '--tls-required', 'yes'];
    const limited = await json('organization', 'limits', id, ...limits);
    const { max_domains, retention_days, tls_required } = limited;
    assert.deepEqual([max_domains, retention_days, tls_required], [null, 9, true]);

    const suspend = ['organization', 'suspend', id, '--kind', 'no_plan', '--reason', 'Unpaid since May'];
    assert.match((await run(...suspend)).stdout, /Shop +suspended .* no_plan: Unpaid since May/);
    assert.match((await run('organization', 'list', '--suspended')).stdout, /Shop +suspended/);
    const { stdout: resumed } = await run('organization', 'resume', id);
    assert.match(resumed, /Shop +sends +9 d +no limit +default/);
    assert.match((await run('organization', 'list')).stdout, /\d +Shop +sends/);

    const [all, own] = await Promise.all([
      run('audit', '--organization', id),
      json('audit', '--organization-token', made.token),
    ]);
    assert.match(all.stdout, /operator ada +127\.0\.0\.1 +\d+ +organization\.resumed +Shop/);
    assert.equal(own.at(-1).action, 'organization.created');
  });

  it('says what is wrong with an organization that is not there, or a limit that is none', async () => {
    const missing = await run('organization', 'show', '999');
    assert.deepEqual([missing.code, missing.stderr.split('\n')[0]], [1, 'postern: Not found']);
    const wrong = await run('organization', 'limits', '1', '--max-domains', 'many');
    assert.match(wrong.stderr, /It must be a number, as 100, or none/);
  });

  it('verifies a domain when its record is published, and says what to publish until then', async () => {
    const before = await run('domain', 'verify', 'CLI.test');
    assert.equal(before.code, 1);
    assert.match(before.stdout, /^cli\.test may not send yet\.\n/);
    assert.match(before.stdout, /dkim +TXT +postern\._domainkey\.cli\.test +missing +to send/);
    assert.match(before.stdout, /Publish the TXT record/);

    const [{ value }] = (await json('domain', 'show', 'cli.test')).records;
    dns.set('postern._domainkey.cli.test', { type: 'TXT', text: value });
    const after = await run('domain', 'verify', 'cli.test');
    assert.deepEqual([after.code, after.stdout.split('\n')[0]], [0, 'cli.test may send.']);
    assert.match((await run('domain', 'list')).stdout, /cli\.test +yes +not verified +postern$/m);
  });

  it('rotates the key of a domain in two runs, however often the first is repeated', async () => {
    const first = await run('domain', 'rotate', 'cli.test');
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /postern2\._domainkey\.cli\.test\. IN TXT "v=DKIM1/);
    const waiting = await json('domain', 'rotate', 'cli.test');
    assert.deepEqual([waiting.dkim_selector, waiting.state], ['postern2', 'pending']);

    dns.set('postern2._domainkey.cli.test', { type: 'TXT', text: waiting.dkim_string });
    assert.match(
      (await run('domain', 'rotate', 'cli.test')).stdout,
      /cli\.test signs with postern2 from now on/,
    );
    assert.equal((await json('domain', 'show', 'cli.test')).dkim_selector, 'postern2');
  });

  it('makes a token for one purpose, lists it, and revokes it', async () => {
    const terms = ['--scope', 'send', 'messages:read', '--network', '192.0.2.0/24', '--expires', '90d'];
    const { id, token } = await json('token', 'create', '--domain', 'cli.test', '--name', 'shop', ...terms);
    const { stdout } = await run('token', 'list', '--domain', 'cli.test');
    assert.match(
      stdout,
      new RegExp(`${id} +shop +send, messages:read +192\\.0\\.2\\.0/24 +\\d{4}-.* never$`, 'm'),
    );
    assert.equal(stdout.includes(token), false);

    await json('token', 'revoke', String(id), '--domain', 'cli.test');
    assert.doesNotMatch((await run('token', 'list', '--domain', 'cli.test')).stdout, /shop/);
  });

  it('makes a sandbox token, and lists it as one', async () => {
    const { sandbox } = await json('token', 'create', '--domain', 'cli.test', '--name', 'ci', '--sandbox');
    const { stdout } = await run('token', 'list', '--domain', 'cli.test');

    assert.equal(sandbox, true);
    assert.match(stdout, /ci +everything, in the sandbox/);
  });

  it('makes an inbound route, lists it, and deletes it', async () => {
    const { id } = await json('inbound', 'add', '*@in.cli.test', '--domain', 'cli.test');
    const { stdout } = await run('inbound', 'list');
    assert.match(stdout, new RegExp(`^${id} +\\*@in\\.cli\\.test +store +honour +`, 'm'));
    assert.match((await run('inbound', 'messages')).stdout, /^No messages/);
    await json('inbound', 'remove', String(id));
    assert.match((await run('inbound', 'list')).stdout, /^No routes/);
  });
});

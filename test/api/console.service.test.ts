import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { sendRequest, startTestApi, type TestApi } from './support.ts';

const run = promisify(execFile);

describe('node api/console.ts', () => {
  let api: TestApi;

  before(async () => {
    api = await startTestApi('console');
  });
  after(() => api.close());

  async function call(environment: string, ...parameters: string[]) {
    const { database, secrets } = api.settings;
    const env = {
      PATH: process.env.PATH,
      POSTERN_ENV: environment,
      POSTERN_DIRECTORY: '/nonexistent',
      DATABASE_URL: database.url,
      REDIS_URL: process.env.POSTERN_TEST_REDIS_URL,
      POSTERN_SECRET_KEY: secrets.key,
      POSTERN_SERVICE_TOKEN: secrets.serviceToken,
      POSTERN_INTAKE_PASSWORD: secrets.intakePassword,
    };
    const { stdout } = await run(process.execPath, ['api/console.ts', ...parameters, '--json'], { env });
    return JSON.parse(stdout);
  }

  it('makes all that is needed to send the first message', async () => {
    const { organizationId, organizationToken } = await call('test', 'create-organization', '--name', 'Demo');
    const organization = String(organizationId);
    const made = await call('test', 'create-domain', '--organization', organization, '--name', 'Demo.test');
    const { token, tokenId } = await call('test', 'create-token', '--domain', 'demo.test', '--name', 'first');

    assert.partialDeepStrictEqual(made, { domain: 'demo.test', dkimSelector: 'postern', dkimVerified: true });
    const tenant = {
      organizationId,
      organizationToken,
      domainId: made.domainId,
      domain: 'demo.test',
      tokenId,
      token,
    };
    assert.equal((await api.app.inject(sendRequest(tenant))).statusCode, 200);
    const headers = { 'mailpace-organization-token': organizationToken };
    assert.equal((await api.app.inject({ url: '/api/v1/domains', headers })).json().length, 1);
  });

  it('makes tokens of operators, and revokes them; both stand in the audit log', async () => {
    const { tokenId, operatorToken } = await call('test', 'create-operator-token', '--name', 'ada');
    const ask = (url: string) =>
      api.app.inject({ url, headers: { 'postern-operator-token': operatorToken } });
    const { operatorTokens } = await call('test', 'list-operator-tokens');
    assert.deepEqual(
      operatorTokens.map((token: { tokenId: number; name: string }) => [token.tokenId, token.name]),
      [[tokenId, 'ada']],
    );
    const entries = (await ask('/api/v1/audit_entries')).json();
    assert.deepEqual(
      entries.map((entry: { action: string; actor: { kind: string } }) => [entry.action, entry.actor.kind]),
      [['operator_token.created', 'console']],
    );

    await call('test', 'revoke-operator-token', '--token', String(tokenId));
    assert.equal((await ask('/api/v1/organizations')).statusCode, 401);
  });

  it('seals every secret anew', async () => {
    await api.createTenant();
    const { columns } = await call('test', 'reseal');
    assert.deepEqual(
      columns.map(({ column, unreadable }: { column: string; unreadable: number[] }) => [column, unreadable]),
      [
        ['dkim_keys.private_key_sealed', []],
        ['webhook_keys.private_key_sealed', []],
        ['webhooks.secret_sealed', []],
        ['webhooks.old_secret_sealed', []],
        ['inbound_routes.basic_auth_sealed', []],
      ],
    );
  });

  it('says what is wrong on stderr, and exits 1', async () => {
    const { domain } = await api.createTenant();
    for (const [parameters, message] of [
      [['create-domain', '--organization', '1', '--name', domain], /has already been taken/],
      [['create-domain', '--organization', '1', '--name', 'localhost'], /is not a domain name/],
      [['create-token', '--domain', 'nobody.test'], /there is no domain/],
      [['revoke-operator-token', '--token', '999'], /there is no such operator token/],
    ] as const) {
      await assert.rejects(call('test', ...parameters), { code: 1, stdout: '', stderr: message });
    }
  });
});

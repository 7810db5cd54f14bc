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

  it('limits an organization, and takes the limit back', async () => {
    const tenant = await api.createTenant();
    const organization = String(tenant.organizationId);
    const limited = async () => {
      const response = await api.app.inject(sendRequest(tenant));
      return [response.statusCode, response.headers['ratelimit-limit']];
    };

    await call('test', 'limit-organization', '--organization', organization, '--messages-per-minute', '1');
    assert.deepEqual(await limited(), [200, '1']);
    assert.equal((await limited())[0], 429);

    await call('test', 'limit-organization', '--organization', organization);
    assert.equal((await limited())[0], 200);
  });

  it('says what is wrong on stderr, and exits 1', async () => {
    const { domain } = await api.createTenant();
    for (const [parameters, message] of [
      [['create-domain', '--organization', '1', '--name', domain], /has already been taken/],
      [['create-domain', '--organization', '1', '--name', 'localhost'], /is not a domain name/],
      [['create-token', '--domain', 'nobody.test'], /there is no domain/],
      [['limit-organization', '--organization', '1', '--messages-per-minute', '0'], /whole number/],
    ] as const) {
      await assert.rejects(call('test', ...parameters), { code: 1, stdout: '', stderr: message });
    }
  });
});

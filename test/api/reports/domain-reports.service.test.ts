/** DMARC and TLS reports: kept once, summed by day and source, for whose domain it is. */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { reapDomainReports } from '../../../api/models/domain-report.ts';
import type { DomainReport } from '../../../lib/rpc/contracts/domain-reports.ts';
import { countRows, startTestApi, type Tenant, type TestApi } from '../support.ts';

describe('reports about domains', () => {
  let api: TestApi;
  let tenant: Tenant;
  let other: Tenant;
  before(async () => {
    api = await startTestApi('domain_reports');
    tenant = await api.createTenant();
    other = await api.createTenant();
  });
  after(() => api.close());

  const row = { source: '192.0.2.1', result: 'none dkim=pass spf=fail', isPassed: true, messages: 3 };
  const read = (changes: object = {}) => ({
    state: 'read',
    domain: tenant.domain,
    reporter: 'Example',
    reportId: randomUUID(),
    beganAt: '2026-01-31T00:00:00Z',
    endedAt: '2026-01-31T23:59:59Z',
    rows: [row, row, { ...row, isPassed: false, result: 'none dkim=fail spf=fail', messages: 1 }],
    ...changes,
  });

  async function report(content: object, changes: Partial<DomainReport> = {}): Promise<string> {
    const response = await api.app.inject({
      method: 'POST',
      url: '/rpc/v1/domain_reports',
      headers: { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
      payload: {
        digest: createHash('sha256').update(randomUUID()).digest('hex'),
        receivedAt: new Date().toISOString(),
        authenticatedDomains: ['example.net'],
        kind: 'dmarc',
        content,
        ...changes,
      },
    });
    assert.equal(response.statusCode, 200, response.body);
    return response.json<{ outcome: string }>().outcome;
  }

  const get = async (path: string, { organizationToken, domainId }: Tenant) =>
    api.app.inject({
      url: `/api/v1/domains/${domainId}/${path}`,
      headers: { 'mailpace-organization-token': organizationToken },
    });

  it('are kept once, by their mail and by their name', async () => {
    const content = read();
    const digest = 'c'.repeat(64);
    assert.equal(await report(content, { digest }), 'recorded');
    assert.equal(await report(content, { digest }), 'repeated');
    assert.equal(await report(content), 'repeated');
    assert.equal(await countRows(api, 'domain_reports'), 1);
  });

  it('are summed by day, source and result', async () => {
    assert.equal(await report(read()), 'recorded');
    const response = await get('report_sums?kind=dmarc&since=2026-01-31', tenant);
    assert.deepEqual(response.json(), [
      {
        kind: 'dmarc',
        day: '2026-01-31',
        source: row.source,
        result: row.result,
        passed: true,
        messages: 12,
      },
      {
        kind: 'dmarc',
        day: '2026-01-31',
        source: row.source,
        result: 'none dkim=fail spf=fail',
        passed: false,
        messages: 2,
      },
    ]);
    const later = await get('report_sums?since=2026-02-01', tenant);
    assert.deepEqual(later.json(), []);
  });

  it('are listed with who sent them', async () => {
    const [first] = (await get('reports', tenant)).json<Record<string, unknown>[]>();
    assert.deepEqual(
      [first?.reporter, first?.messages, first?.passed, first?.authenticated_domains],
      ['Example', 7, 6, ['example.net']],
    );
  });

  it('AU-9: are of nobody else', async () => {
    assert.deepEqual((await get('reports', other)).json(), []);
    const foreign = { ...other, domainId: tenant.domainId };
    for (const path of ['reports', 'report_sums']) {
      assert.equal((await get(path, foreign)).statusCode, 404);
    }
  });

  it('MB-12: leave a row that says why, where they were rejected', async () => {
    assert.equal(await report({ state: 'rejected', reason: 'too_large' }), 'rejected');
    const { rows } = await api.store.pool.query(
      `select state, reason from domain_reports where state = 'rejected'`,
    );
    assert.deepEqual(rows, [{ state: 'rejected', reason: 'too_large' }]);
  });

  it('are not kept of a domain that is not ours', async () => {
    assert.equal(await report(read({ domain: 'elsewhere.test' })), 'unknown_domain');
  });

  it('go after inbound.reportDays', async () => {
    await report(read(), { receivedAt: new Date(Date.now() - 91 * 86_400_000).toISOString() });
    const before = await countRows(api, 'domain_reports');
    assert.equal(await reapDomainReports(api.store.pool, 90), 1);
    assert.equal(await countRows(api, 'domain_reports'), before - 1);
  });
});

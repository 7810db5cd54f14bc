import assert from 'node:assert/strict';
import { createTlsReport } from '../../../lib/tls/report.ts';
import { decodeResult, encodeResult, readReportAddresses, type TlsResult } from '../../../lib/tls/results.ts';

const result: TlsResult = {
  domain: 'one.test',
  policyType: 'sts',
  policy: ['version: STSv1', 'mode: testing', 'mx: mx.one.test', 'max_age: 86400'],
  mxPatterns: ['mx.one.test'],
  resultType: 'success',
  mx: 'mx.one.test',
  sendingIp: '192.0.2.1',
};

describe('report of TLS (RFC 8460)', () => {
  it('counts sessions by policy, and failures by their kind', () => {
    const report = createTlsReport(
      [
        { ...result, count: 5 },
        { ...result, resultType: 'certificate-expired', count: 2 },
        { ...result, policyType: 'no-policy-found', policy: [], mxPatterns: [], count: 1 },
      ],
      { day: '2026-01-31', id: 'x@sender.test', organizationName: 'Shop', contact: 'a@sender.test' },
    );

    assert.deepEqual(report, {
      'organization-name': 'Shop',
      'date-range': { 'start-datetime': '2026-01-31T00:00:00Z', 'end-datetime': '2026-01-31T23:59:59Z' },
      'contact-info': 'a@sender.test',
      'report-id': 'x@sender.test',
      policies: [
        {
          policy: {
            'policy-type': 'sts',
            'policy-domain': 'one.test',
            'policy-string': result.policy,
            'mx-host': ['mx.one.test'],
          },
          summary: { 'total-successful-session-count': 5, 'total-failure-session-count': 2 },
          'failure-details': [
            {
              'result-type': 'certificate-expired',
              'sending-mta-ip': '192.0.2.1',
              'receiving-mx-hostname': 'mx.one.test',
              'failed-session-count': 2,
            },
          ],
        },
        {
          policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'one.test' },
          summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 0 },
          'failure-details': [],
        },
      ],
    });
  });

  for (const [record, addresses] of [
    [['v=TLSRPTv1; rua=mailto:a@one.test'], ['mailto:a@one.test']],
    [['v=TLSRPTv1;rua=mailto:a@one.test,https://one.test/r'], ['mailto:a@one.test', 'https://one.test/r']],
    [['v=TLSRPTv1; rua=http://one.test/r'], []],
    [['v=TLSRPTv1; rua=mailto:a@one.test', 'v=TLSRPTv1; rua=mailto:b@one.test'], []],
    [['v=spf1 -all'], []],
  ] as const) {
    it(`goes to ${addresses.join(' and ') || 'nobody'} for ${record.join(' | ')}`, () =>
      assert.deepEqual(readReportAddresses(record), addresses));
  }

  it('believes nothing in Redis that is no result', () => {
    assert.deepEqual(decodeResult(encodeResult(result)), result);
    for (const text of ['', '{}', 'null', JSON.stringify({ ...result, resultType: 'x' })]) {
      assert.equal(decodeResult(text), undefined);
    }
  });
});

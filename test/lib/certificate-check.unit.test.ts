import assert from 'node:assert/strict';
import { findCertificateProblems } from '../../lib/certificate-check.ts';
import { issueCertificate } from '../support/certificates.ts';

describe('lib/certificate-check', () => {
  const now = new Date();
  const check = (certificate: Parameters<typeof findCertificateProblems>[0], name = 'a.test', at = now) =>
    findCertificateProblems(certificate, [name], at).join('; ');

  it('tells apart what is wrong', async () => {
    const [one, other] = [await issueCertificate('a.test'), await issueCertificate('a.test')];
    const late = new Date(now.getTime() + 40 * 86_400_000);

    assert.equal(check(one), '');
    assert.match(check(one, 'b.test'), /^it is not for b\.test but for /);
    assert.match(check({ cert: one.cert, key: other.key }), /^the key does not go with it/);
    assert.match(
      check({ cert: `${one.cert}\n${other.cert}`, key: one.key }),
      /was not issued by the one after it/,
    );
    assert.match(check(one, 'a.test', late), /CN=a\.test ended at/);
    assert.match(check(one, 'a.test', new Date(0)), /CN=a\.test begins at/);
    assert.match(check({ cert: '', key: '' }), /^there is no certificate/);
    assert.match(
      check({ cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', key: '' }),
      /^it cannot be read/,
    );
  });
});

/** Certificates for tests, self-signed. */
import { generate } from 'selfsigned';
import type { Certificate } from '../../lib/certificate.ts';

const DAY_MS = 86_400_000;

/** @param days until its end; negative: it is out of date */
export async function issueCertificate(name: string, days = 30): Promise<Certificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    notBeforeDate: new Date(Date.now() - 60 * DAY_MS),
    notAfterDate: new Date(Date.now() + days * DAY_MS),
  });
  return { cert, key };
}

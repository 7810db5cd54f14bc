/** Whether a certificate will do, before it is used: name, chain, key and dates, each told apart. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { type Certificate, listCertificates } from './certificate.ts';

/** @returns what is wrong with it, for people; empty: nothing. A chain of one, signed by itself, is no problem here. */
export function findCertificateProblems(
  certificate: Certificate,
  names: readonly string[],
  now: Date,
): string[] {
  let chain: X509Certificate[];
  try {
    chain = listCertificates(certificate.cert).map((pem) => new X509Certificate(pem));
  } catch (error) {
    return [`it cannot be read: ${(error as Error).message}`];
  }
  const [leaf, ...issuers] = chain;
  if (!leaf) return ['there is no certificate in the file'];
  const problems = names
    .filter((name) => leaf.checkHost(name) === undefined)
    .map((name) => `it is not for ${name} but for ${leaf.subjectAltName ?? leaf.subject}`);
  for (const [index, issuer] of issuers.entries()) {
    const issued = chain[index];
    if (issued && !(issued.checkIssued(issuer) && issued.verify(issuer.publicKey)))
      problems.push(`certificate ${index + 1} of the chain was not issued by the one after it`);
  }
  try {
    createSecureContext(certificate);
  } catch (error) {
    problems.push(`the key does not go with it: ${(error as Error).message}`);
  }
  for (const one of chain) {
    if (one.validToDate <= now) problems.push(`${one.subject} ended at ${one.validToDate.toISOString()}`);
    if (one.validFromDate > now) problems.push(`${one.subject} begins at ${one.validFromDate.toISOString()}`);
  }
  return problems;
}

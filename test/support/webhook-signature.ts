/** How receivers check a webhook by the domain's public key. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** As the contract's readers do it: the raw 32 bytes behind the fixed head of an SPKI. */
export function importPublicKey(base64: string): KeyObject {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(base64, 'base64')]);
  return createPublicKey({ key: der, type: 'spki', format: 'der' });
}

/** The signatures of one version in `webhook-signature`. */
export function signaturesOf(
  headers: IncomingHttpHeaders | Record<string, string>,
  version: string,
): Buffer[] {
  return String(headers['webhook-signature'] ?? '')
    .split(' ')
    .map((part) => part.split(',', 2))
    .flatMap(([found, value = '']) => (found === version ? [Buffer.from(value, 'base64')] : []));
}

/** Both ways: the contract's header, and one of the `v1a` signatures. */
export function isSignedBy(
  key: KeyObject,
  { headers, raw }: { headers: IncomingHttpHeaders; raw: Buffer },
): boolean {
  const content = Buffer.concat([
    Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`),
    raw,
  ]);
  const contractual = Buffer.from(String(headers['x-mailpace-signature']), 'base64');
  return (
    verify(null, raw, key, contractual) &&
    signaturesOf(headers, 'v1a').some((signature) => verify(null, content, key, signature))
  );
}

/**
 * Certificates of the hosts of the sandbox, made when they are asked for: all with one key, so that one TLSA record
 * pins it, and as good or bad as the domain has it (domains.ts).
 */
import { generateKeyPairSync, hash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { generate } from 'selfsigned';
import type { Certificate } from '../lib/certificate.ts';
import type { DomainBehaviour } from './domains.ts';

const DAY_MS = 86_400_000;
const MAX_KEPT = 1_000;
/** RFC 5280, ub-common-name; the whole name stands in the alternative names. */
const MAX_COMMON_NAME = 64;

export type CertificateKind = DomainBehaviour['certificate'];

export interface Certificates {
  /** @param kind undefined: a good one */
  issue(name: string, kind?: CertificateKind): Promise<Certificate>;
  /** As `issue`, for TLS, kept for the next time. */
  contextFor(name: string, kind?: CertificateKind): Promise<SecureContext>;
  /** Pins the key by its SHA-256 (DANE-EE: 3 1 1). */
  tlsa: Buffer;
}

export function createCertificates(authority: Certificate): Certificates {
  const keyPair = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const ca = { cert: pemOf(authority.cert, 'CERTIFICATE'), key: pemOf(authority.key, 'PRIVATE KEY') };
  const kept = new LRUCache<string, Promise<SecureContext>>({ max: MAX_KEPT });

  async function issue(name: string, kind?: CertificateKind): Promise<Certificate> {
    const subject = kind === 'wrong-name' ? 'another-host.test' : name;
    const { cert } = await generate([{ name: 'commonName', value: subject.slice(0, MAX_COMMON_NAME) }], {
      keyType: 'ec',
      algorithm: 'sha256',
      keyPair,
      ...(kind !== 'self-signed' && { ca }),
      notBeforeDate: new Date(Date.now() - 60 * DAY_MS),
      notAfterDate: new Date(Date.now() + (kind === 'expired' ? -DAY_MS : 300 * DAY_MS)),
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'subjectAltName', altNames: [{ type: 2, value: subject }] },
      ],
    });
    return { cert, key: keyPair.privateKey };
  }

  return {
    issue,
    contextFor(name, kind) {
      const key = `${kind ?? 'good'} ${name.toLowerCase()}`;
      const context = kept.get(key) ?? issue(name.toLowerCase(), kind).then(createSecureContext);
      kept.set(key, context);
      return context;
    },
    tlsa: Buffer.from([3, 1, 1, ...hash('sha256', derOf(keyPair.publicKey), 'buffer')]),
  };
}

/** Of a file that may hold more (lib/certificate.ts) */
function pemOf(text: string, type: string): string {
  const found = new RegExp(`-----BEGIN ${type}-----[^-]+-----END ${type}-----`).exec(text)?.[0];
  if (!found) throw new Error(`the sandbox's authority has no ${type}`);
  return found;
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
}

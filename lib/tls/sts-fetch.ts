/** Fetches a policy of MTA-STS from its host over HTTPS (RFC 8461 3.3): no redirect, no long answer, no long wait. */
import { request } from 'node:https';
import { isPublicAddress } from '../public-address.ts';
import { parseStsPolicy, type StsPolicy } from './sts-policy.ts';

const MAX_BYTES = 64 * 1024;
const DEADLINE_MS = 5_000;

export type StsFetchFailure = 'webpki' | 'unreachable' | 'status' | 'too_large' | 'invalid';
export type StsFetchResult = { ok: true; policy: StsPolicy } | { ok: false; reason: StsFetchFailure };

export interface StsFetchOptions {
  /** IPv4 addresses of the host; none: it is not reached */
  resolve: (host: string) => Promise<string[]>;
  port: number;
  /** Whether the policy host may be in our own network: outside production. */
  allowsPrivate: boolean;
  deadlineMs?: number;
}

export async function fetchStsPolicy(domain: string, options: StsFetchOptions): Promise<StsFetchResult> {
  const host = `mta-sts.${domain}`;
  const addresses = await options.resolve(host);
  const address = addresses.find(
    // A stranger's domain must not have us ask our own network.
    (candidate) => options.allowsPrivate || isPublicAddress(candidate),
  );
  if (address === undefined) return { ok: false, reason: 'unreachable' };
  const answer = await get(host, address, options);
  if (!answer.ok) return answer;
  const policy = parseStsPolicy(answer.text);
  return policy ? { ok: true, policy } : { ok: false, reason: 'invalid' };
}

type Answer = { ok: true; text: string } | { ok: false; reason: StsFetchFailure };

function get(host: string, address: string, { port, deadlineMs }: StsFetchOptions): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const signal = AbortSignal.timeout(deadlineMs ?? DEADLINE_MS);
  const question = request(
    {
      host: address,
      port,
      servername: host,
      path: '/.well-known/mta-sts.txt',
      headers: { host, 'user-agent': 'Postern' },
      agent: false,
      signal,
    },
    (response) => {
      // 3.3: redirects are not followed, whatever is not 200 is no policy
      const type = response.headers['content-type'] ?? '';
      if (response.statusCode !== 200 || !/^text\/plain\s*(;|$)/i.test(type)) {
        resolve({ ok: false, reason: 'status' });
        response.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes <= MAX_BYTES) return;
        resolve({ ok: false, reason: 'too_large' });
        response.destroy();
      });
      response.on('end', () => resolve({ ok: true, text: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', () => resolve({ ok: false, reason: 'unreachable' }));
    },
  );
  question.on('error', (error: NodeJS.ErrnoException) =>
    resolve({ ok: false, reason: isCertificateError(error.code) ? 'webpki' : 'unreachable' }),
  );
  question.end();
  return promise;
}

function isCertificateError(code = ''): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|ERR_TLS|ERR_SSL/.test(code);
}

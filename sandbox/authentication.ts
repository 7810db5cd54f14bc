/** SPF, DKIM and DMARC of a message, as a receiving MX sees them. Strict: what the RFCs refuse is refused here. */
import { type AuthenticateResult, authenticate } from 'mailauth';
import type { Logger } from '../lib/log.ts';
import type { StoredMessage } from './mailbox.ts';
import type { Resolve } from './resolver.ts';

export interface Arrival {
  client: { address: string; helo: string };
  sender: string;
  raw: Buffer;
}

export type Verdict = Pick<StoredMessage, 'authentication' | 'signatures'>;

const NO_VERDICT: Verdict = {
  authentication: { spf: 'temperror', dkim: 'temperror', dmarc: 'temperror' },
  signatures: [],
};

/** A message that breaks the verifier gets `temperror` throughout. */
export async function verifyAuthentication(
  { client, sender, raw }: Arrival,
  { resolve, hostname, log }: { resolve: Resolve; hostname: string; log: Logger },
): Promise<Verdict> {
  try {
    const result = await authenticate(raw, {
      ip: client.address,
      helo: client.helo,
      sender,
      mta: hostname,
      resolver: resolve,
      strict: true,
      disableArc: true,
      disableBimi: true,
    });
    return describe(result);
  } catch (error) {
    log.warn({ err: error, sender }, 'message.verification_failed');
    return NO_VERDICT;
  }
}

function describe({ spf, dkim, dmarc }: AuthenticateResult): Verdict {
  const words = dkim.results.map((signature) => signature.status.result);
  return {
    authentication: {
      spf: spf ? spf.status.result : 'none',
      dkim: words.includes('pass') ? 'pass' : (words[0] ?? 'none'),
      dmarc: dmarc ? dmarc.status.result : 'none',
    },
    signatures: dkim.results
      .filter((signature) => signature.signingDomain)
      .map(({ signingDomain, selector, status }) => ({
        domain: signingDomain ?? '',
        selector: selector ?? '',
        result: status.result,
      })),
  };
}

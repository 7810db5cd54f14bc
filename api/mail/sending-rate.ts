/** How fast a token and its organization may send, over HTTP and SMTP together (RS-5). */
import type { Settings } from '../../config/schema.ts';
import type { DomainCredential } from '../models/api-token.ts';
import type { RateLimiter, Verdict } from '../rate-limiter.ts';

export const TOO_FAST = 'You are sending emails too quickly';

/** Counts the messages for both. @returns the verdict of the limit that is nearer, or was passed */
export async function countMessages(
  limiter: RateLimiter,
  { tokenId, organizationId, messagesPerMinute }: DomainCredential,
  limits: Settings['limits'],
  messages = 1,
): Promise<Verdict> {
  const ofOrganization = messagesPerMinute ?? limits.organizationMessagesPerMinute;
  const [token, organization] = await Promise.all([
    limiter.consume(`token:${tokenId}`, limits.tokenMessagesPerMinute, messages),
    limiter.consume(`organization:${organizationId}`, ofOrganization, messages),
  ]);
  if (token.isAllowed !== organization.isAllowed) return token.isAllowed ? organization : token;
  return token.remaining <= organization.remaining ? token : organization;
}

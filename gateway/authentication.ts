/** Who the client is: AUTH PLAIN and LOGIN with an API token as the password. The token is never kept or logged. */
import type { SMTPServerAuthentication, SMTPServerSession } from 'smtp-server';
import { refuseAccess } from '../lib/access.ts';
import { type Credential, findCredential } from '../lib/rpc/contracts/credentials.ts';
import { digestToken } from '../lib/secrets.ts';
import { type GatewayContext, stateOf, transactionIdOf } from './context.ts';
import { type Reply, replies } from './replies.ts';

/** No token of ours is near that long; nothing longer is hashed. */
const MAX_TOKEN_CHARACTERS = 512;

export type CredentialLookup =
  | { ok: true; credential: Credential }
  /** `unknown`: nobody has this token, or no longer, or not from this address. `unavailable`: it cannot be said now. */
  | { ok: false; reason: 'unknown' | 'unavailable' };

/** The reply that refuses the client; undefined when it is let in, with its credential in the session's state. */
export async function authenticate(
  auth: SMTPServerAuthentication,
  session: SMTPServerSession,
  context: GatewayContext,
): Promise<Reply | undefined> {
  const digest = readTokenDigest(auth);
  const lookup: CredentialLookup =
    digest === undefined
      ? { ok: false, reason: 'unknown' }
      : await lookUpCredential(digest, session, context);
  const state = stateOf(session);
  if (lookup.ok && digest !== undefined) {
    state.tokenDigest = digest;
    state.credential = lookup.credential;
    context.metrics.authentications.inc({ outcome: 'ok' });
    return undefined;
  }
  if (!lookup.ok && lookup.reason === 'unavailable') {
    context.metrics.authentications.inc({ outcome: 'unavailable' });
    return replies.authenticationUnavailable;
  }
  // The user name is not logged: clients put the token there too (AU-7).
  context.log.info({ session: session.id, client: session.remoteAddress }, 'authentication.failed');
  context.metrics.authentications.inc({ outcome: 'failed' });
  state.authenticationFailures += 1;
  return state.authenticationFailures >= context.maxAuthenticationFailures
    ? replies.tooManyAuthenticationFailures
    : replies.authenticationFailed;
}

/** Asks the api, or the cache in front of it, who may send with the token. */
export async function lookUpCredential(
  digest: string,
  session: SMTPServerSession,
  { rpc, log }: Pick<GatewayContext, 'rpc' | 'log'>,
): Promise<CredentialLookup> {
  const result = await rpc.call(findCredential, { params: { digest }, requestId: transactionIdOf(session) });
  if (result.ok && refuseAccess(result.value, session.remoteAddress)) return { ok: false, reason: 'unknown' };
  if (result.ok) return { ok: true, credential: result.value };
  if (result.reason === 'not_found') return { ok: false, reason: 'unknown' };
  log.warn({ session: session.id, result }, 'credential.unavailable');
  return { ok: false, reason: 'unavailable' };
}

/**
 * Contract 4: user name and password are the token. Where they differ, both together are looked up: nobody has such a
 * token, and a wrong user name costs the same question as a wrong password (AU-1).
 */
function readTokenDigest(auth: SMTPServerAuthentication): string | undefined {
  const { authzid, authcid } = auth;
  const [username, password] = [auth.username ?? '', auth.password ?? ''];
  // RFC 4616 2: to act for somebody else is not offered (AU-5).
  if (authzid && authcid && authzid !== authcid) return undefined;
  if (password === '' || Math.max(username.length, password.length) > MAX_TOKEN_CHARACTERS) return undefined;
  return digestToken(username === password ? password : `${username}\0${password}`);
}

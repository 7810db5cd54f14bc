/** Who the client is: AUTH PLAIN and LOGIN with an API token as the password. The token is never kept or logged. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SMTPServerAuthentication, SMTPServerSession } from 'smtp-server';
import { refuseAccess } from '../lib/access.ts';
import type { Reply } from '../lib/mail/reply.ts';
import { type Credential, findCredential } from '../lib/rpc/contracts/credentials.ts';
import { digestToken } from '../lib/secrets.ts';
import { type GatewayContext, stateOf, transactionIdOf } from './context.ts';
import { replies } from './replies.ts';

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
  const startedAt = performance.now();
  const { throttle, metrics } = context;
  const shown = readCredentials(auth);
  const attempt = { address: session.remoteAddress, ...shown };
  if (!(await throttle.isAllowed(attempt))) {
    logRefusal('authentication.throttled', session, context);
    metrics.authentications.inc({ outcome: 'throttled' });
    return replies.clientThrottled;
  }
  const lookup: CredentialLookup = shown.isPlausible
    ? await lookUpCredential(shown.digest, session, context)
    : { ok: false, reason: 'unknown' };
  if (lookup.ok) {
    Object.assign(stateOf(session), { tokenDigest: shown.digest, credential: lookup.credential });
    metrics.authentications.inc({ outcome: 'ok' });
    await throttle.rememberSuccess(attempt);
    return undefined;
  }
  if (lookup.reason === 'unavailable') {
    metrics.authentications.inc({ outcome: 'unavailable' });
    return replies.authenticationUnavailable;
  }
  logRefusal('authentication.failed', session, context);
  metrics.authentications.inc({ outcome: 'failed' });
  await throttle.countFailure(attempt);
  await sleep(Math.max(context.authenticationDelayMs - (performance.now() - startedAt), 0));
  return countSessionFailure(session, context);
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
function readCredentials({ authzid, authcid, ...shown }: SMTPServerAuthentication) {
  const [name, secret] = [shown.username ?? '', shown.password ?? ''];
  const [shortName, shortSecret] = [
    name.slice(0, MAX_TOKEN_CHARACTERS),
    secret.slice(0, MAX_TOKEN_CHARACTERS),
  ];
  return {
    account: digestToken(shortName),
    digest: digestToken(name === secret ? shortSecret : `${shortName}\0${shortSecret}`),
    /** Whether somebody could have it. RFC 4616 2: to act for somebody else is not offered (AU-5). */
    isPlausible:
      !(authzid && authcid && authzid !== authcid) &&
      secret !== '' &&
      Math.max(name.length, secret.length) <= MAX_TOKEN_CHARACTERS,
  };
}

/** The user name is not logged: clients put the token there too (AU-7). */
function logRefusal(event: string, session: SMTPServerSession, { log }: Pick<GatewayContext, 'log'>): void {
  log.info({ session: session.id, client: session.remoteAddress }, event);
}

function countSessionFailure(session: SMTPServerSession, context: GatewayContext): Reply {
  const state = stateOf(session);
  state.authenticationFailures += 1;
  return state.authenticationFailures >= context.maxAuthenticationFailures
    ? replies.tooManyAuthenticationFailures
    : replies.authenticationFailed;
}

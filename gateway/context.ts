/** What the handlers of all sessions share, and what each session has of its own. */
import type { SMTPServerSession } from 'smtp-server';
import type { Logger } from '../lib/log.ts';
import type { MemoryBudget } from '../lib/memory-budget.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import type { Credential } from '../lib/rpc/contracts/credentials.ts';
import type { Submission } from '../lib/rpc/contracts/submissions.ts';
import type { Tracer } from '../lib/tracing/tracer.ts';
import type { AuthenticationThrottle } from './authentication-throttle.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { SendingPauses } from './sending-pauses.ts';

export interface GatewayContext {
  rpc: Pick<RpcClient, 'call'>;
  log: Logger;
  metrics: GatewayMetrics;
  budget: MemoryBudget;
  maxMessageBytes: number;
  maxAuthenticationFailures: number;
  /** A failed AUTH is answered no sooner, whatever its reason (AU-1). */
  authenticationDelayMs: number;
  throttle: AuthenticationThrottle;
  pauses: SendingPauses;
  tracer: Tracer;
}

export interface SessionState {
  tls: Submission['client']['tls'];
  authenticationFailures: number;
  /** SHA-256 of the token the client showed; the token itself is not kept. */
  tokenDigest?: string;
  /** As it was at AUTH or at the last MAIL. */
  credential?: Credential;
}

const states = new WeakMap<SMTPServerSession, SessionState>();

export function stateOf(session: SMTPServerSession): SessionState {
  const existing = states.get(session);
  if (existing) return existing;
  const state: SessionState = { tls: null, authenticationFailures: 0 };
  states.set(session, state);
  return state;
}

/** Names one transaction everywhere: in the logs of gateway and api, and as the id that makes a hand-over repeatable. */
export function transactionIdOf(session: SMTPServerSession): string {
  return `${session.id}.${session.transaction}`;
}

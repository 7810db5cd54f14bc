/**
 * The session: who may open one, what EHLO offers, how many errors it may have, what MAIL may say. Also puts Haraka's
 * log lines into ours.
 */

import type { Reply } from '../../../lib/mail/reply.ts';
import { messageOf } from '../../connection-rules.ts';
import { inboundContext } from '../../context.ts';
import { guard } from '../../guard.ts';
import {
  type HarakaAddress,
  type HarakaConnection,
  type HarakaPlugin,
  type Next,
  states,
  verdicts,
} from '../../haraka.ts';
import { replies } from '../../replies.ts';

const MAX_ERRORS = 20;
/** Haraka's word for it */
const UNKNOWN_NAME = 'Unknown';

const refusals: Readonly<Record<string, Reply>> = {
  too_many: replies.tooManyConnections,
  too_many_of_client: replies.tooManyClientConnections,
  too_fast: replies.tooManyNewConnections,
};

export function register(this: HarakaPlugin): void {
  this.register_hook('log', 'writeLog');
  this.register_hook('lookup_rdns', 'admit');
  this.register_hook('capabilities', 'offer');
  this.register_hook('mail', 'checkSender', -10);
  this.register_hook('unrecognized_command', 'countErrors', 10);
  this.register_hook('reset_transaction', 'releaseMessage');
}

/** Haraka's own look-up of the client's name may take half a minute, and believes what it is told. */
export const admit = guard('session.admit', async (connection) => {
  const { admissions, resolver, log } = inboundContext();
  const client = connection.remote.ip;
  const { answer, leave } = await admissions.enter(client);
  const refusal = refusals[answer];
  if (refusal) {
    log.warn({ client, reason: answer }, 'session.refused');
    return refusal;
  }
  connection.client.once('close', leave);
  if (connection.state >= states.disconnecting) leave(); // gone while it was asked for
  return { value: (await resolver.findClientName(client)) ?? UNKNOWN_NAME };
});

export const offer = guard('session.offer', (connection) => {
  connection.capabilities.push('ENHANCEDSTATUSCODES');
  return undefined;
});

type MailParameters = readonly [HarakaAddress, Readonly<Record<string, string | null>>];

export const checkSender = guard<MailParameters>('session.checkSender', (_, [sender, parameters]) =>
  findSenderFault(sender.address, parameters),
);

export function findSenderFault(
  sender: string,
  parameters: Readonly<Record<string, string | null>>,
): Reply | undefined {
  const { SIZE: size } = parameters;
  if (size !== undefined && !/^\d{1,20}$/.test(size ?? '')) return replies.sizeInvalid; // RFC 1870 6
  if (!('SMTPUTF8' in parameters) && /[^ -~]/.test(sender)) return replies.utf8NotAnnounced; // RFC 6531 3.2
  return undefined;
}

export const countErrors = guard('session.countErrors', (connection) =>
  connection.errors >= MAX_ERRORS ? replies.tooManyErrors : undefined,
);

/** Runs always, also when the client is gone. */
export function releaseMessage(next: Next, connection: HarakaConnection): void {
  if (connection.transaction) messageOf(connection.transaction)?.release();
  next();
}

const LEVELS: Readonly<Record<string, 'error' | 'warn' | 'info' | 'debug'>> = {
  EMERG: 'error',
  ALERT: 'error',
  CRIT: 'error',
  ERROR: 'error',
  WARN: 'warn',
  NOTICE: 'info',
  INFO: 'info',
};

export function writeLog(next: Next, _: unknown, line: { level: string; data: string }): void {
  inboundContext().log[LEVELS[line.level] ?? 'debug']({ haraka: line.data }, 'haraka.log');
  next(verdicts.ok);
}

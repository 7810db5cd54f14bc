/**
 * The end of DATA, last part: the message goes to the api, and 250 is said only after the commit there. The api down,
 * or no answer: 451, and the client comes again; what had been committed after all is then the same message, by its
 * digest, and is not taken twice.
 */

import type { Reply } from '../../../lib/mail/reply.ts';
import { messageOf } from '../../connection-rules.ts';
import { inboundContext } from '../../context.ts';
import { envelopeOf } from '../../envelope.ts';
import { guard } from '../../guard.ts';
import { handOver } from '../../hand-over.ts';
import type { HarakaConnection, HarakaPlugin } from '../../haraka.ts';
import { replies } from '../../replies.ts';
import { readSpamVerdict } from '../../spam-verdict.ts';

export function register(this: HarakaPlugin): void {
  this.register_hook('queue', 'deliver');
  // Ends the hook before Haraka's own words for a message that a hook above has refused are final.
  this.register_hook('deny', 'countRefusal');
}

export const deliver = guard('deliver.deliver', async (connection) => {
  const reply = await deliverMessage(connection);
  count(connection, reply);
  return reply;
});

/** What the hooks before refuse at the end of DATA is counted here. */
export const countRefusal = guard<readonly [number, string, string, string, unknown, string]>(
  'deliver.countRefusal',
  (connection, [, , , , , hook]) => {
    if (hook === 'data_post') count(connection, replies.spam);
    return undefined;
  },
);

async function deliverMessage(connection: HarakaConnection): Promise<Reply> {
  const { settings, rpc, log, returnPathKey } = inboundContext();
  const { transaction } = connection;
  const message = transaction && messageOf(transaction);
  const { recipients, authentication } = transaction ? envelopeOf(transaction) : { recipients: [] };
  const [first] = recipients;
  if (!transaction || !message || !authentication || !first) return replies.internalError;

  const spam = readSpamVerdict(transaction.results);
  if (spam && first.kind === 'route' && spam.score >= first.spamRefuseScore) return replies.spam;
  const result = await handOver(
    {
      content: message.content(),
      recipients,
      authentication,
      spam,
      sender: transaction.mail_from.address,
      client: {
        ip: connection.remote.ip,
        helo: connection.hello.host ?? '',
        host: connection.remote.host,
      },
      id: transaction.uuid,
    },
    { hostname: settings.hostname, returnPathKey, rpc, log },
  );
  const facts = {
    transaction: transaction.uuid,
    sender: transaction.mail_from.address,
    client: connection.remote.ip,
  };
  if (result.ok) {
    log.info({ ...facts, recipients: recipients.map(({ address }) => address) }, 'message.accepted');
    return { ...replies.accepted, text: `${replies.accepted.text} as ${transaction.uuid}` };
  }
  log.warn({ ...facts, reason: result.reason, problem: result.message }, 'message.not_accepted');
  if (result.reason === 'unavailable') return replies.notTakenOver;
  return result.code === 'recipients_unknown' ? replies.recipientUnknown : replies.messageInvalid;
}

function count({ transaction }: HarakaConnection, { code }: Reply): void {
  const { metrics } = inboundContext();
  metrics.messages.inc({ outcome: code < 400 ? 'accepted' : code < 500 ? 'deferred' : 'refused' });
  const endedAt = transaction ? envelopeOf(transaction).endedAt : undefined;
  if (endedAt !== undefined) metrics.replySeconds.observe((performance.now() - endedAt) / 1_000);
}

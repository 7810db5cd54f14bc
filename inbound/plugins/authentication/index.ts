/**
 * The end of DATA, first part: a message with a fault on the wire is refused; of all others SPF, DKIM, DMARC and ARC
 * are found out. Mail that fails DMARC under p=reject is refused where the route honours that; else it is marked.
 */
import { verifyMessage } from '../../authenticate.ts';
import { messageOf } from '../../connection-rules.ts';
import { inboundContext } from '../../context.ts';
import { envelopeOf } from '../../envelope.ts';
import { guard } from '../../guard.ts';
import type { HarakaPlugin } from '../../haraka.ts';
import { replies } from '../../replies.ts';

export function register(this: HarakaPlugin): void {
  this.register_hook('data', 'chooseBuffer');
  this.register_hook('data_post', 'checkMessage', -10);
}

/** Haraka's own copy of the message is for the plugins that read it. */
export const chooseBuffer = guard('authentication.chooseBuffer', ({ transaction }) => {
  const { checksSpam, checksViruses } = inboundContext().settings.inbound;
  if (transaction && !checksSpam && !checksViruses) {
    transaction.discard_data = true;
    transaction.message_stream.destroy = () => {}; // there is no file
  }
  return undefined;
});

export const checkMessage = guard('authentication.checkMessage', async (connection) => {
  const { transaction } = connection;
  const message = transaction && messageOf(transaction);
  if (!transaction || !message) return replies.internalError;
  const envelope = envelopeOf(transaction);
  envelope.endedAt = performance.now();
  if (message.fault) return replies[message.fault];
  const { settings, resolver, metrics } = inboundContext();
  const authentication = await verifyMessage(
    {
      client: { ip: connection.remote.ip, helo: connection.hello.host ?? '' },
      sender: transaction.mail_from.address,
      message: message.content(),
    },
    { resolve: resolver.resolve, hostname: settings.hostname },
  );
  envelope.authentication = authentication;
  for (const check of ['spf', 'dmarc', 'arc'] as const) {
    metrics.authentications.inc({ check, result: authentication[check].result });
  }
  const signature = authentication.dkim.find((one) => one.result === 'pass') ?? authentication.dkim[0];
  metrics.authentications.inc({ check: 'dkim', result: signature?.result ?? 'none' });
  const [recipient] = envelope.recipients;
  const { result, policy } = authentication.dmarc;
  const isHonoured = recipient?.kind === 'route' && recipient.dmarc === 'honour';
  return isHonoured && result === 'fail' && policy === 'reject' ? replies.refusedByDmarc : undefined;
});

import type { FastifyInstance } from 'fastify';
import { createInboundMessage } from '../../lib/rpc/contracts/inbound-messages.ts';
import { RpcRefusal } from '../../lib/rpc/server.ts';
import type { Context } from '../app.ts';
import { createReceiver } from '../inbound/receive.ts';
import { registerCall } from './register.ts';

const texts = {
  recipients_unknown: 'Nobody gets mail at these addresses any more',
  message_invalid: 'An address of the envelope is not valid',
  message_too_large: 'The message is too large',
};

export function inboundMessageCalls(app: FastifyInstance, { store, settings }: Context): void {
  const maxBodyBytes = app.initialConfig.bodyLimit ?? settings.limits.maxMessageBytes;
  const receive = createReceiver(store, settings);
  registerCall(
    app,
    createInboundMessage,
    async ({ body }, { log }) => {
      const received = await receive(body);
      if (!received.ok) throw new RpcRefusal(received.reason, texts[received.reason]);
      const { ids, duplicates, unknown } = received;
      if (unknown.length > 0) log.warn({ unknown, digest: body.digest }, 'inbound.recipients_gone');
      return { ids, duplicates, unknown };
    },
    { maxBodyBytes },
  );
}

import type { FastifyInstance } from 'fastify';
import { createSubmission } from '../../lib/rpc/contracts/submissions.ts';
import { RpcRefusal } from '../../lib/rpc/server.ts';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import { readSubmission } from '../mail/submission.ts';
import { findDomainCredential } from '../models/api-token.ts';
import { acceptMessage } from '../models/message.ts';
import { createUseNote } from '../models/token-use.ts';
import { registerCall } from './register.ts';

export function submissionCalls(app: FastifyInstance, { store, settings, metrics }: Context): void {
  const noteUse = createUseNote(store.pool);
  const maxBodyBytes = app.initialConfig.bodyLimit ?? settings.limits.maxMessageBytes;
  registerCall(
    app,
    createSubmission,
    async ({ body }) => {
      const credential = await findDomainCredential(store.pool, { tokenId: body.tokenId });
      const read = await readSubmission(body, credential, settings.limits);
      if (!read.ok) throw new RpcRefusal(read.code, read.message);
      await noteUse(body.tokenId);
      const messageId = await inTransaction(store, (tx) => acceptMessage(tx, read.message));
      metrics.messagesAccepted.inc({ source: 'smtp' });
      return { messageId };
    },
    { maxBodyBytes },
  );
}

import type { FastifyInstance } from 'fastify';
import { createSubmission, type Submission } from '../../lib/rpc/contracts/submissions.ts';
import { RpcRefusal } from '../../lib/rpc/server.ts';
import { trace } from '../../lib/tracing/tracer.ts';
import type { Context } from '../app.ts';
import { readOptionsOf } from '../mail/send-request.ts';
import { countMessages, TOO_FAST } from '../mail/sending-rate.ts';
import { readSubmission } from '../mail/submission.ts';
import { readSubmissionKey } from '../mail/submission-key.ts';
import { takeOver, takeOverRefusals } from '../mail/take-over.ts';
import { findDomainCredential } from '../models/api-token.ts';
import { createUseNote } from '../models/token-use.ts';
import { registerCall } from './register.ts';

export function submissionCalls(
  app: FastifyInstance,
  { store, settings, metrics, limiter, tracer }: Context,
): void {
  const noteUse = createUseNote(store.pool);
  const options = readOptionsOf(settings);
  const maxBodyBytes = app.initialConfig.bodyLimit ?? settings.limits.maxMessageBytes;
  registerCall(
    app,
    createSubmission,
    async ({ body }, { requestId, traceparent }) => {
      const attributes = { 'postern.request_id': requestId };
      const span = tracer.resume('rpc createSubmission', traceparent, { kind: 'server', attributes });
      const messageId = await trace(span, (here) => accept(body, here));
      return { messageId };
    },
    { maxBodyBytes },
  );

  async function accept(body: Submission, traceparent: string | undefined): Promise<number> {
    const credential = await findDomainCredential(store.pool, { tokenId: body.tokenId });
    const rate = credential && (await countMessages(limiter, credential, settings.limits));
    if (rate && !rate.isAllowed) {
      throw new RpcRefusal('rate_limited', `${TOO_FAST}, try again in ${rate.resetSeconds} seconds`);
    }
    const read = await readSubmission(body, credential, options);
    if (!read.ok) throw new RpcRefusal(read.code, read.message);
    const once = readSubmissionKey(body, read.message);
    if (!once.ok) throw new RpcRefusal('message_invalid', once.problem);
    await noteUse(body.tokenId);
    const taken = await takeOver(store, { ...read.message, traceparent }, once.key);
    if (!taken.ok) throw new RpcRefusal(taken.code, takeOverRefusals[taken.code]);
    if (!taken.isReplayed && credential) metrics.accepted('smtp', credential.organizationId, 1);
    return taken.messageId;
  }
}

/** DATA: takes a message in, judges it, and hands it to the api. 250 stands for the api's commit, nothing less. */
import type { SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import { normalizeAddress } from '../lib/mail/address.ts';
import { removeFields } from '../lib/mail/header-block.ts';
import { type Reply, withText } from '../lib/mail/reply.ts';
import { createSubmission, type Submission } from '../lib/rpc/contracts/submissions.ts';
import { trace } from '../lib/tracing/tracer.ts';
import { type GatewayContext, stateOf, transactionIdOf } from './context.ts';
import { judgeMessage } from './message-policy.ts';
import { receiveMessage } from './receive-message.ts';
import { replies } from './replies.ts';

/** RFC 5322 3.6.3: who else got it is nobody's business. */
const BLIND_FIELDS = ['bcc', 'resent-bcc'];

/** What a refusal of the api (contract createSubmission) means to the client; `withReason` shows the api's text. */
const refusalReplies: Readonly<Record<string, { reply: Reply; withReason: boolean }>> = {
  credential_revoked: { reply: replies.credentialRevoked, withReason: false },
  sender_not_allowed: { reply: replies.senderNotAllowed, withReason: false },
  sending_refused: { reply: replies.sendingRefused, withReason: true },
  message_invalid: { reply: replies.messageInvalid, withReason: true },
  message_too_large: { reply: replies.messageTooLarge, withReason: false },
  recipients_blocked: { reply: replies.recipientsBlocked, withReason: false },
  rate_limited: { reply: replies.tooFast, withReason: true },
  idempotency_key_running: { reply: replies.keyRunning, withReason: false },
  idempotency_key_used_otherwise: { reply: replies.keyUsedOtherwise, withReason: false },
  body_too_large: { reply: replies.messageTooLarge, withReason: false },
};

/** The reply to the final dot. Reads the stream to its end whatever it holds. */
export async function submit(
  stream: SMTPServerDataStream,
  session: SMTPServerSession,
  context: GatewayContext,
): Promise<Reply> {
  const received = await receiveMessage(stream, context);
  if (!received.ok) return received.reply;
  try {
    const { credential } = stateOf(session);
    if (!credential) return replies.authenticationRequired;
    return (
      judgeMessage(received.message, credential.domain) ??
      (await handOver(createSubmissionBody(received.message, credential.tokenId, session), context))
    );
  } finally {
    received.release();
  }
}

function createSubmissionBody(message: Buffer, tokenId: number, session: SMTPServerSession): Submission {
  const { mailFrom, rcptTo } = session.envelope;
  return {
    submissionId: transactionIdOf(session),
    tokenId,
    envelope: {
      from: (mailFrom && normalizeAddress(mailFrom.address)) || '',
      to: rcptTo.flatMap(({ address }) => normalizeAddress(address) ?? []),
    },
    message: removeFields(message, BLIND_FIELDS).toString('base64'),
    client: {
      address: session.remoteAddress,
      helo: String(session.hostNameAppearsAs),
      tls: stateOf(session).tls,
    },
  };
}

/** A message's trace begins here. */
function callApi(body: Submission, { rpc, tracer }: GatewayContext) {
  const requestId = body.submissionId;
  const attributes = { 'postern.request_id': requestId };
  return trace(
    tracer.begin('smtp submission', undefined, { kind: 'server', attributes }),
    (traceparent) => rpc.call(createSubmission, { params: {}, body, requestId, traceparent }),
    (result) =>
      result.ok ? { 'postern.message_id': result.value.messageId } : { 'postern.refusal': result.reason },
  );
}

async function handOver(submission: Submission, context: GatewayContext): Promise<Reply> {
  const { submissionId, tokenId, envelope, client } = submission;
  const { log, pauses } = context;
  const result = await callApi(submission, context);
  const facts = { submissionId, tokenId, recipients: envelope.to.length, client: client.address };
  if (result.ok) {
    const { messageId } = result.value;
    log.info({ ...facts, messageId }, 'message.accepted');
    return withText(replies.queued, `${replies.queued.text} ${messageId}`);
  }
  const refusal = result.reason === 'refused' ? refusalReplies[result.code] : undefined;
  if (!refusal || result.reason !== 'refused') {
    log.error({ ...facts, result }, 'message.not_taken_over');
    return replies.notTakenOver;
  }
  if (result.code === 'rate_limited') pauses.start(tokenId);
  return refusal.withReason ? withText(refusal.reply, result.message) : refusal.reply;
}

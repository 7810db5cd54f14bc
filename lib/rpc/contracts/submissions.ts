import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

const address = Type.String({ minLength: 3, maxLength: 320 });

export const submissionSchema = Type.Object({
  /** Same id, same message: session id and transaction number of the gateway. */
  submissionId: Type.String({ minLength: 8, maxLength: 100, pattern: '^[A-Za-z0-9._-]+$' }),
  tokenId: Type.Integer(),
  envelope: Type.Object({
    /** May be empty: the null reverse-path. */
    from: Type.String({ maxLength: 320 }),
    to: Type.Array(address, { minItems: 1 }),
  }),
  /** RFC 5322 message, base64. CRLF line ends, Bcc removed, otherwise as it came in. */
  message: Type.String({ contentEncoding: 'base64' }),
  client: Type.Object({
    address: Type.String(),
    helo: Type.String(),
    tls: Type.Union([Type.Object({ version: Type.String(), cipher: Type.String() }), Type.Null()]),
  }),
});
export type Submission = Static<typeof submissionSchema>;

/**
 * Takes a message over: the reply comes after the commit. Refusals (422) that a gateway maps to replies:
 * `credential_revoked`, `sender_not_allowed`, `sending_refused`, `message_invalid`, `message_too_large`,
 * `recipients_blocked`, `rate_limited`, `idempotency_key_running`, `idempotency_key_used_otherwise`.
 */
export const createSubmission = defineContract({
  name: 'createSubmission',
  method: 'POST',
  path: '/rpc/v1/submissions',
  params: Type.Object({}),
  body: submissionSchema,
  reply: Type.Object({ messageId: Type.Integer() }),
  isIdempotent: true,
});

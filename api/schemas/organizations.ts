import Type, { type Static } from 'typebox';
import { managementFailures as failures, moment, nullable, singleLine } from './replies.ts';

/** Of an integer column. */
const MAX_COUNT = 2_000_000_000;

/** No union: the validator turns values into the first type that it can, and null into 0. */
const countOrNull = (minimum: number, description: string) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum, maximum: MAX_COUNT, description });
const scoreOrNull = (description: string) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], minimum: -1000, maximum: 1000, description });
const name = Type.Intersect([singleLine, Type.String({ minLength: 1 })]);

const terms = {
  retention_days: Type.Integer({ minimum: 1, maximum: 3650, description: 'Older messages are removed' }),
  max_domains: countOrNull(0, 'null: no limit'),
  messages_per_minute: countOrNull(1, 'null: limits.organizationMessagesPerMinute of the settings'),
  spam_mark_score: scoreOrNull('null: spam.markScore of the settings'),
  spam_hold_score: scoreOrNull('null: spam.holdScore of the settings'),
  spam_refuse_score: scoreOrNull('null: spam.refuseScore of the settings'),
  tls_required: Type.Boolean({ description: 'All its mail leaves over TLS with a certificate that holds' }),
  contact: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    maxLength: 320,
    pattern: '^[^@\\s,<>]+@[^@\\s,<>]+$',
    description: 'Address that is told when the organization is throttled or suspended; null: nobody is',
  }),
  bounce_mail: Type.Boolean({ description: 'Mail to envelope senders by SMTP about what fails or is late' }),
};

const organizationSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  suspended_at: nullable(moment),
  suspension_kind: nullable(Type.Enum(['operator', 'abuse', 'no_plan'])),
  suspension_reason: nullable(Type.String()),
  throttled_to: nullable(
    Type.Integer({ description: 'Messages per minute, while the abuse guard slows it down' }),
  ),
  throttle_reason: nullable(Type.String()),
  ...terms,
  created_at: moment,
});
export type OrganizationBody = Static<typeof organizationSchema>;

const changes = Type.Partial(Type.Object({ name, ...terms }));
export type OrganizationChangesBody = Static<typeof changes>;

const params = Type.Object({ id: Type.String() });

export const listOrganizationsSchema = {
  querystring: Type.Object({
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    before: Type.Optional(
      Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Older than this id' }),
    ),
    suspended: Type.Optional(Type.Boolean({ description: 'Only those that are, or are not' })),
  }),
  response: { 200: Type.Array(organizationSchema), ...failures },
};

export const showOrganizationSchema = { params, response: { 200: organizationSchema, ...failures } };

/** The organization whose token it is. */
export const showOwnOrganizationSchema = {
  operationId: 'showOwnOrganization',
  response: { 200: organizationSchema, ...failures },
};

export const createOrganizationSchema = {
  body: Type.Object({ organization: Type.Object({ name, ...Type.Partial(Type.Object(terms)).properties }) }),
  response: { 201: organizationSchema, ...failures },
};

export const updateOrganizationSchema = {
  params,
  body: Type.Object({ organization: changes }),
  response: { 200: organizationSchema, ...failures },
};

/** PUT suspends, DELETE resumes; each may be said twice. */
export const resumeOrganizationSchema = { params, response: { 200: organizationSchema, ...failures } };

export const suspendOrganizationSchema = {
  ...resumeOrganizationSchema,
  body: Type.Unsafe<Partial<{ kind: 'operator' | 'no_plan'; reason: string }> | null>({
    type: ['object', 'null'],
    properties: {
      kind: {
        type: 'string',
        enum: ['operator', 'no_plan'],
        description: 'Which of the contract’s two refusals senders get; operator where nothing is said',
      },
      reason: { type: 'string', maxLength: 500, pattern: '^[^\\x00-\\x1f]*$' },
    },
  }),
};

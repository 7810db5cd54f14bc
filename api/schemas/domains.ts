import Type, { type Static } from 'typebox';
import { dkimAlgorithms } from '../../lib/rpc/contracts/dkim-keys.ts';
import { errorSchema, managementFailures as failures, moment, nullable, singleLine } from './replies.ts';

const tls = Type.Enum(['opportunistic', 'required'], {
  description: 'required: all its mail leaves over TLS with a certificate that holds, or not at all',
});

/** As the contract has it (1.5), with tls. */
const domainSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  url: Type.String(),
  dkim_selector: Type.String(),
  dkim_string: Type.String(),
  dkim_verified: Type.Boolean(),
  advanced_verified: Type.Boolean(),
  tls,
  webhook_public_key: Type.Union([Type.String(), Type.Null()]),
  created_at: moment,
  modified_at: moment,
});
export type DomainBody = Static<typeof domainSchema>;

const dnsRecordSchema = Type.Object({
  purpose: Type.Enum(['dkim', 'return_path', 'spf', 'dmarc', 'inbound']),
  name: Type.String(),
  type: Type.Enum(['TXT', 'CNAME', 'MX']),
  value: Type.String({ description: 'What to publish' }),
  required: Type.Boolean({ description: 'Without it no mail of the domain is taken' }),
  status: Type.Enum(['ok', 'missing', 'different', 'several', 'syntax', 'timeout', 'failed']),
  found: Type.Array(Type.String(), { description: 'What the DNS has' }),
  problem: nullable(Type.String()),
  remedy: nullable(Type.String()),
});
export type DnsRecordBody = Static<typeof dnsRecordSchema>;

const algorithm = Type.Enum(dkimAlgorithms);

const dkimKeySchema = Type.Object({
  algorithm,
  dkim_selector: Type.String(),
  dkim_string: Type.String(),
  state: Type.Enum(['pending', 'active', 'retired']),
  created_at: moment,
  activated_at: nullable(moment),
  retired_at: nullable(moment),
});
export type DkimKeyBody = Static<typeof dkimKeySchema>;

const message = Type.Object({ message: Type.String() });
const domainParams = Type.Object({ id: Type.String() });
const keyParams = Type.Object({ id: Type.String(), selector: Type.String() });
const url = Type.String({ maxLength: 253 });
const name = Type.Optional(singleLine);

export const listDomainsSchema = {
  querystring: Type.Object({
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    offset: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 0 }),
    sort: Type.Enum(['created_at', 'id', 'name'], { default: 'created_at' }),
    direction: Type.Enum(['asc', 'desc'], { default: 'desc' }),
  }),
  response: { 200: Type.Array(domainSchema), ...failures },
};

export const showDomainSchema = { params: domainParams, response: { 200: domainSchema, ...failures } };

export const createDomainSchema = {
  body: Type.Object({ domain: Type.Object({ url, name }) }),
  response: { 201: domainSchema, ...failures },
};

export const updateDomainSchema = {
  params: domainParams,
  body: Type.Object({ domain: Type.Object({ url: Type.Optional(url), name, tls: Type.Optional(tls) }) }),
  response: { 200: domainSchema, ...failures },
};

export const deleteDomainSchema = {
  params: domainParams,
  response: { 200: message, 409: errorSchema, ...failures },
};

export const verifyDomainSchema = {
  operationId: 'verifyDomain',
  params: domainParams,
  response: {
    200: Type.Object({
      dkim_verified: Type.Boolean(),
      advance_verified: Type.Boolean(),
      errors: Type.Object({
        dkim: Type.Optional(Type.String()),
        advance_verified: Type.Optional(Type.String()),
      }),
    }),
    ...failures,
  },
};

export const listDnsRecordsSchema = {
  params: domainParams,
  response: { 200: Type.Array(dnsRecordSchema), ...failures },
};

export const listDkimKeysSchema = {
  params: domainParams,
  response: { 200: Type.Array(dkimKeySchema), ...failures },
};

export const createDkimKeySchema = {
  params: domainParams,
  body: nullable(
    Type.Object({
      dkim_key: Type.Object({
        algorithm: Type.Enum(dkimAlgorithms, {
          description: 'rsa-sha256, which signs always, or ed25519-sha256 beside it (RFC 8463)',
        }),
      }),
    }),
  ),
  response: { 201: dkimKeySchema, 409: errorSchema, ...failures },
};

export const activateDkimKeySchema = {
  params: keyParams,
  response: { 200: dkimKeySchema, 409: errorSchema, ...failures },
};

export const deleteDkimKeySchema = {
  params: keyParams,
  response: { 200: message, 409: errorSchema, ...failures },
};

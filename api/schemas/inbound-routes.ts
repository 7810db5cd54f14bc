import Type, { type Static } from 'typebox';
import { routeKinds, routeTargets } from '../models/inbound-route.ts';
import { errorSchema, managementFailures, moment, nullable } from './replies.ts';

const routeSchema = Type.Object({
  id: Type.Integer(),
  domain: Type.String(),
  address: Type.String({ description: 'ann@example.com, sales-*@example.com, *@in.example.com' }),
  kind: Type.Enum(routeKinds),
  subaddressing: Type.Boolean(),
  target: Type.Enum(routeTargets),
  url: nullable(Type.String({ description: 'Without user and password' })),
  basic_auth: Type.Boolean({ description: 'A user and a password are sent to the url' }),
  forward_to: nullable(Type.String()),
  confirmed: nullable(
    Type.Boolean({
      description: 'Of forward: false while forward_to has not agreed; mail is kept meanwhile',
    }),
  ),
  requires_tls: nullable(Type.Boolean({ description: 'Of smtp: no TLS with a valid certificate, no mail' })),
  dmarc: Type.Enum(['honour', 'mark']),
  spam_refuse_score: Type.Number(),
  description: Type.String(),
  created_at: moment,
  updated_at: moment,
});
export type InboundRouteBody = Static<typeof routeSchema>;

/** What a change may name as well */
const terms = {
  forward_to: Type.Optional(
    Type.String({ maxLength: 320, description: 'Of forward: an address, which may have to confirm it' }),
  ),
  url: Type.Optional(
    Type.String({ maxLength: 2048, description: 'Of http and smtp; may hold user:password@' }),
  ),
  requires_tls: Type.Optional(
    Type.Boolean({
      description: 'Of smtp, true where nothing is said: no TLS with a valid certificate, no mail',
    }),
  ),
  subaddressing: Type.Optional(Type.Boolean({ description: 'ann+tag is ann; true where nothing is said' })),
  dmarc: Type.Optional(
    Type.Enum(['honour', 'mark'], { description: 'Whether mail that fails DMARC with p=reject is refused' }),
  ),
  spam_refuse_score: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1000, description: 'Refused from here on; 15 where nothing is said' }),
  ),
  description: Type.Optional(Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001f]*$' })),
};

const newRouteSchema = Type.Object({
  domain: Type.Optional(
    nullable(Type.String({ maxLength: 253, description: 'Needed with the token of an organization' })),
  ),
  address: Type.String({ minLength: 3, maxLength: 320 }),
  target: Type.Enum(routeTargets),
  ...terms,
});
export type NewRouteBody = Static<typeof newRouteSchema>;

const routeChangeSchema = Type.Object(
  {
    target: Type.Optional(Type.Enum(routeTargets)),
    ...terms,
    address: Type.Optional(Type.String({ description: 'Is refused: another address is another route' })),
  },
  { minProperties: 1 },
);
export type RouteChangeBody = Static<typeof routeChangeSchema>;

const failures = { 400: errorSchema, ...managementFailures };
const params = Type.Object({ id: Type.String() });

export const listInboundRoutesSchema = {
  response: { 200: Type.Object({ inbound_routes: Type.Array(routeSchema) }), ...failures },
};
export const showInboundRouteSchema = { params, response: { 200: routeSchema, ...failures } };
const routeWithSecretSchema = Type.Object({
  ...routeSchema.properties,
  secret: nullable(Type.String({ description: 'whsec_… of a new endpoint by http; shown once' })),
});
export const createInboundRouteSchema = {
  body: newRouteSchema,
  response: { 201: routeWithSecretSchema, ...failures },
};
export const changeInboundRouteSchema = {
  params,
  body: routeChangeSchema,
  response: { 200: routeWithSecretSchema, ...failures },
};
export const confirmInboundRouteSchema = {
  params,
  body: Type.Object({ code: Type.String({ maxLength: 100 }) }),
  response: { 200: routeSchema, ...failures },
};
export const deleteInboundRouteSchema = {
  params,
  response: { 200: Type.Object({ message: Type.String() }), ...failures },
};

/** Inbound routes and messages as the API shows them, and as people read them. */
import Type, { type Static } from 'typebox';
import { nullable } from './nullable.ts';
import { formatTable } from './text.ts';

export const routeSchema = Type.Object({
  id: Type.Integer(),
  address: Type.String(),
  target: Type.String(),
  url: nullable(Type.String()),
  forward_to: nullable(Type.String()),
  confirmed: nullable(Type.Boolean()),
  requires_tls: nullable(Type.Boolean()),
  dmarc: Type.String(),
  spam_refuse_score: Type.Number(),
  description: Type.String(),
});
export type Route = Static<typeof routeSchema>;

export const routeWithSecretSchema = Type.Object({
  ...routeSchema.properties,
  secret: nullable(Type.String()),
});

export const messageSchema = Type.Object({
  id: Type.Integer(),
  status: Type.String(),
  reason: nullable(Type.String()),
  envelope: Type.Object({ from: Type.String(), to: Type.String() }),
  subject: nullable(Type.String()),
  created_at: Type.String(),
});

export function formatRoutes(routes: readonly Route[]): string {
  if (routes.length === 0) return 'No routes. bin/postern inbound add makes one.';
  return formatTable(
    ['id', 'address', 'target', 'to', 'dmarc', 'spam from', 'description'],
    routes.map((route) => [
      ...[String(route.id), route.address, route.target, formatTarget(route)],
      ...[route.dmarc, String(route.spam_refuse_score), route.description],
    ]),
  );
}

export function formatRouteWithSecret(route: Static<typeof routeWithSecretSchema>): string {
  const secret = route.secret ? `\n\nIts secret, shown only now:\n\n  ${route.secret}\n` : '';
  return formatRoutes([route]) + secret;
}

export function formatMessages(messages: readonly Static<typeof messageSchema>[]): string {
  if (messages.length === 0) return 'No messages.';
  return formatTable(
    ['id', 'status', 'from', 'to', 'subject', 'at', 'reason'],
    messages.map(({ id, status, reason, envelope, subject, created_at }) => [
      ...[String(id), status, envelope.from, envelope.to],
      ...[subject ?? '', created_at, reason ?? ''],
    ]),
  );
}

function formatTarget({ url, forward_to, confirmed, requires_tls }: Route): string {
  if (forward_to !== null) return `${forward_to}${confirmed ? '' : ', which has not agreed'}`;
  return `${url ?? ''}${requires_tls === false ? ', without TLS if need be' : ''}`;
}

/**
 * What a token may do, area by area. A token without scopes may do all that its kind can: a domain's token sends and
 * reads, an organization's manages, an operator's manages organizations. Scopes only take away.
 */

/** The resources of the public API whose routes are named after them. */
export const areas = [
  'messages',
  'webhooks',
  'suppressions',
  'templates',
  'inbound_routes',
  'inbound_messages',
  'domains',
  'api_tokens',
  'organization',
  'organizations',
  'audit_entries',
] as const;

export const scopes = ['send', ...areas.flatMap((area) => [`${area}:read`, `${area}:write`])];

const READING = new Set(['GET', 'HEAD']);

/**
 * The scope that opens a route: `send`, or the last area in its path with `:read` or `:write`. Undefined: the path names
 * no area, so only tokens without scopes get in.
 * @param path of the route, as `/api/v1/domains/:id/api_tokens`
 */
export function scopeOf(method: string, path: string): string | undefined {
  const segments = path.split('/').slice(3);
  if (segments[0] === 'send') return 'send';
  const area = segments.findLast((segment) => (areas as readonly string[]).includes(segment));
  return area && `${area}:${READING.has(method) ? 'read' : 'write'}`;
}

/** @param granted null: everything */
export function isGranted(granted: readonly string[] | null, scope: string | undefined): boolean {
  return granted === null || (scope !== undefined && granted.includes(scope));
}

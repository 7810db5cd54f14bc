/** What a route is called in the API's description, and which tokens open it, told by its path. */

export const tokenHeaders = {
  domainToken: { type: 'apiKey', in: 'header', name: 'MailPace-Server-Token' },
  organizationToken: { type: 'apiKey', in: 'header', name: 'MailPace-Organization-Token' },
  operatorToken: { type: 'apiKey', in: 'header', name: 'Postern-Operator-Token' },
} as const;

type TokenKind = keyof typeof tokenHeaders;

/** By the first segment of the path: each of them alone opens it. An empty list: open to everybody. */
const tokens: Readonly<Record<string, readonly TokenKind[]>> = {
  send: ['domainToken'],
  messages: ['domainToken', 'organizationToken'],
  suppressions: ['domainToken', 'organizationToken'],
  templates: ['domainToken', 'organizationToken'],
  inbound_routes: ['domainToken', 'organizationToken'],
  inbound_messages: ['domainToken', 'organizationToken'],
  domains: ['organizationToken'],
  organization: ['organizationToken'],
  organizations: ['operatorToken'],
  audit_entries: ['operatorToken'],
  operator_messages: ['operatorToken'],
  spam_reviews: ['operatorToken'],
  sending_pools: ['operatorToken'],
  address_blocks: ['operatorToken'],
  address_checks: ['operatorToken'],
  'openapi.json': [],
};

const verbs: Readonly<Record<string, string>> = {
  GET: 'show',
  POST: 'create',
  PUT: 'put',
  PATCH: 'update',
  DELETE: 'delete',
};

/**
 * @param path of the route, as `/api/v1/domains/:id`
 * @throws when nothing is known of its first segment
 */
export function describeOperation(method: string, path: string) {
  const segments = path.split('/').slice(3);
  const area = segments[0] ?? '';
  const openedBy = tokens[area];
  if (!openedBy) throw new Error(`${path}: say in operation.ts which tokens open it`);
  return {
    operationId: nameOperation(method, segments),
    tags: [area],
    security: openedBy.map((kind) => ({ [kind]: [] })),
  };
}

/** `GET /domains` is listDomains, `DELETE /domains/:id/api_tokens/:token_id` is deleteDomainApiToken. */
function nameOperation(method: string, segments: string[]): string {
  const isOne = segments.at(-1)?.startsWith(':') ?? false;
  const nouns = segments.flatMap((segment, index) => {
    if (segment.startsWith(':')) return [];
    const isNamed = segments[index + 1]?.startsWith(':') || method === 'POST';
    return [toWord(isNamed ? singular(segment) : segment)];
  });
  const isList = method === 'GET' && !isOne && segments.at(-1)?.endsWith('s');
  return `${isList ? 'list' : (verbs[method] ?? method.toLowerCase())}${nouns.join('')}`;
}

function singular(noun: string): string {
  return noun.replace(/ies$/, 'y').replace(/(?<=ss)es$|(?<!s)s$/, '');
}

function toWord(segment: string): string {
  return segment
    .split(/[^a-z0-9]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
}

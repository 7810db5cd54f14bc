/**
 * Every route of the public API, with the token of one tenant and the things of another (AU-9). A route that is added and
 * not listed here fails; so does one that is listed and gone.
 */
import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import { createOperatorToken } from '../../api/models/api-token.ts';
import { attachedMessage, receive } from './inbound/support.ts';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

const DOMAIN = 'mailpace-server-token';
const ORGANIZATION = 'mailpace-organization-token';
const OPERATOR = 'postern-operator-token';

type Header = typeof DOMAIN | typeof ORGANIZATION | typeof OPERATOR;

interface Route {
  /** Each of these alone opens it; none: it is open to everybody. */
  headers: Header[];
  /** Where an empty body would be refused before anybody looks for the thing */
  payload?: object;
}

const manages = (payload?: object): Route => ({ headers: [ORGANIZATION], ...(payload && { payload }) });
const operates = (payload?: object): Route => ({ headers: [OPERATOR], ...(payload && { payload }) });
const reads: Route = { headers: [DOMAIN, ORGANIZATION] };

const token = { api_token: { name: 'x' } };
const webhook = { webhook: { description: 'x' } };
const newWebhook = { webhook: { url: 'https://hooks.example.com/', events: ['email.queued'] } };

const routes: Record<string, Route> = {
  'GET /openapi.json': { headers: [] },

  'POST /send': { headers: [DOMAIN] },
  'POST /send/batch': { headers: [DOMAIN] },
  'GET /messages': reads,
  'GET /messages/:id': reads,
  'GET /messages/:id/events': reads,
  'POST /messages/:id/cancellation': reads,
  'GET /messages/:id/source': reads,
  'GET /messages/:id/parts': reads,
  'GET /messages/:id/parts/text': reads,
  'GET /messages/:id/parts/html': reads,
  'GET /messages/:id/attachments/:number': reads,

  'GET /suppressions': reads,
  'POST /suppressions': { ...reads, payload: { address: 'b@example.com' } },
  'GET /suppressions/:id': reads,
  'DELETE /suppressions/:id': reads,
  'GET /suppressions/export': reads,
  'POST /suppressions/imports': reads,
  'GET /suppressions/imports/:id': reads,

  'GET /templates': reads,
  'POST /templates': { ...reads, payload: { name: 'new', textbody: 'x' } },
  'GET /templates/:id': reads,
  'PATCH /templates/:id': { ...reads, payload: { subject: 'x' } },
  'DELETE /templates/:id': reads,
  'POST /templates/:id/preview': { ...reads, payload: {} },

  'GET /inbound_routes': reads,
  'POST /inbound_routes': {
    ...reads,
    payload: { address: 'x@ours.test', domain: 'ours.test', target: 'store' },
  },
  'GET /inbound_routes/:id': reads,
  'PATCH /inbound_routes/:id': { ...reads, payload: { description: 'x' } },
  'DELETE /inbound_routes/:id': reads,
  'POST /inbound_routes/:id/confirmation': { ...reads, payload: { code: 'x' } },
  'GET /inbound_messages': reads,
  'GET /inbound_messages/:id': reads,
  'GET /inbound_messages/:id/source': reads,
  'GET /inbound_messages/:id/parts': reads,
  'GET /inbound_messages/:id/attachments/:number': reads,

  'GET /domains': manages(),
  'POST /domains': manages({ domain: { url: 'new.test' } }),
  'GET /domains/:id': manages(),
  'PATCH /domains/:id': manages({ domain: { name: 'x' } }),
  'DELETE /domains/:id': manages(),
  'GET /domains/:id/dns_records': manages(),
  'GET /domains/:id/reports': manages(),
  'GET /domains/:id/report_sums': manages(),
  'POST /domains/:id/verify': manages(),
  'GET /domains/:id/dkim_keys': manages(),
  'POST /domains/:id/dkim_keys': manages(),
  'PUT /domains/:id/dkim_keys/:selector/activation': manages(),
  'DELETE /domains/:id/dkim_keys/:selector': manages(),

  'GET /domains/:id/api_tokens': manages(),
  'POST /domains/:id/api_tokens': manages(token),
  'GET /domains/:id/api_tokens/:token_id': manages(),
  'PATCH /domains/:id/api_tokens/:token_id': manages(token),
  'DELETE /domains/:id/api_tokens/:token_id': manages(),

  'GET /domains/:id/webhooks': manages(),
  'POST /domains/:id/webhooks': manages(newWebhook),
  'GET /domains/:id/webhooks/:webhook_id': manages(),
  'PATCH /domains/:id/webhooks/:webhook_id': manages(webhook),
  'DELETE /domains/:id/webhooks/:webhook_id': manages(),
  'PUT /domains/:id/webhooks/:webhook_id/activation': manages(),
  'DELETE /domains/:id/webhooks/:webhook_id/activation': manages(),
  'POST /domains/:id/webhooks/:webhook_id/secret_rotations': manages(),
  'GET /domains/:id/webhooks/:webhook_id/deliveries': manages(),
  'GET /domains/:id/webhooks/:webhook_id/deliveries/:delivery_id': manages(),
  'POST /domains/:id/webhooks/:webhook_id/replays': manages(),
  'GET /domains/:id/webhook_keys': manages(),
  'POST /domains/:id/webhook_keys': manages(),

  'GET /organization': manages(),
  'GET /organization/audit_entries': manages(),

  'GET /organizations': operates(),
  'POST /organizations': operates({ organization: { name: 'x' } }),
  'GET /organizations/:id': operates(),
  'PATCH /organizations/:id': operates({ organization: { name: 'x' } }),
  'PUT /organizations/:id/suspension': operates(),
  'DELETE /organizations/:id/suspension': operates(),
  'GET /organizations/:id/api_tokens': operates(),
  'POST /organizations/:id/api_tokens': operates(token),
  'GET /organizations/:id/api_tokens/:token_id': operates(),
  'PATCH /organizations/:id/api_tokens/:token_id': operates(token),
  'DELETE /organizations/:id/api_tokens/:token_id': operates(),
  'GET /audit_entries': operates(),

  'GET /operator_messages': operates(),
  'GET /operator_messages/:id': operates(),
  'GET /operator_messages/:id/source': operates(),
  'PUT /operator_messages/:id/seen': operates(),
  'DELETE /operator_messages/:id/seen': operates(),

  'GET /spam_reviews': operates(),
  'POST /spam_reviews/:id/release': operates(),
  'POST /spam_reviews/:id/refusal': operates(),

  'GET /sending_pools': operates(),
  'POST /sending_pools': operates({ sending_pool: { name: 'x' } }),
  'GET /sending_pools/:id': operates(),
  'DELETE /sending_pools/:id': operates(),
  'POST /sending_pools/:id/addresses': operates({ ip_address: { address: '192.0.2.1', helo: 'out.test' } }),
  'DELETE /sending_pools/:id/addresses/:address_id': operates(),
  'POST /sending_pools/:id/assignments': operates({ assignment: {} }),
  'DELETE /sending_pools/:id/assignments/:assignment_id': operates(),
  'GET /address_blocks': operates(),
  'DELETE /address_blocks': operates(),
  'POST /address_checks': operates(),
};

/** The id of a thing by the segment of the path in front of it; null: one that nobody has. */
type Things = Record<string, string | null>;

const MISSING: Record<string, string> = {
  dkim_keys: 'postern99',
  deliveries: '00000000-0000-4000-8000-000000000000',
};
const MISSING_ID = '999999999';

/** Paths with an id of a tenant's own, of the other's, or of nobody in each place. */
type Owner = 'own' | 'foreign' | 'missing';

describe('tenants (AU-9)', () => {
  let api: TestApi;
  let tenant: Tenant;
  let stranger: Tenant;
  let things: Record<Owner, Things>;
  let tokens: Record<Header, string>;

  before(async () => {
    api = await startTestApi('isolation', {
      limits: { addressFailuresPerMinute: 100_000 },
      webhooks: { allowHttp: true, allowLoopback: true },
    });
    tenant = await api.createTenant({ domain: 'ours.test' });
    stranger = await api.createTenant({ domain: 'theirs.test' });
    things = { own: await createThings(tenant), foreign: await createThings(stranger), missing: {} };
    const operator = await createOperatorToken(api.store.pool, { name: 'ada' });
    tokens = {
      [DOMAIN]: tenant.token,
      [ORGANIZATION]: tenant.organizationToken,
      [OPERATOR]: operator.token,
    };
  });
  after(() => api.close());

  async function createThings(owner: Tenant): Promise<Things> {
    const manage = async (method: 'GET' | 'POST', path: string, payload?: object) => {
      const headers = { [ORGANIZATION]: owner.organizationToken };
      const url = `/api/v1${path}`;
      const response = await api.app.inject({ method, url, headers, ...(payload && { payload }) });
      assert.equal(response.statusCode < 300, true, response.body);
      return response.json();
    };
    const domain = `/domains/${owner.domainId}`;
    const endpoint = { url: 'http://127.0.0.1:10009/', events: ['email.queued'], description: owner.domain };
    const { id: webhookId } = await manage('POST', `${domain}/webhooks`, { webhook: endpoint });
    // A second attachment and a second key, so that the other's are not the names of one's own.
    const attachments = ['a.txt', 'b.txt'].map((name) => ({ name, content: 'aGVsbG8=' }));
    const content = { subject: owner.domain, htmlbody: '<p>Hi</p>', attachments };
    const payload = owner === stranger ? content : { ...content, attachments: attachments.slice(1) };
    const sent = await api.app.inject(sendRequest(owner, payload));
    const [delivery] = await manage('GET', `${domain}/webhooks/${webhookId}/deliveries`);
    const suppression = await manage('POST', '/suppressions', {
      address: `a@gone.${owner.domain}`,
      domain: owner.domain,
    });
    const template = await manage('POST', '/templates', {
      name: 'welcome',
      domain: owner.domain,
      textbody: 'x',
    });
    const key = owner === stranger ? await manage('POST', `${domain}/dkim_keys`) : undefined;
    const imported = await api.app.inject({
      method: 'POST',
      url: `/api/v1/suppressions/imports?domain=${owner.domain}`,
      headers: { [ORGANIZATION]: owner.organizationToken, 'content-type': 'text/csv' },
      payload: `address\r\nb@gone.${owner.domain}\r\n`,
    });
    const route = await manage('POST', '/inbound_routes', {
      address: `*@${owner.domain}`,
      domain: owner.domain,
      target: 'store',
    });
    const received = await receive(api, `ann@${owner.domain}`, attachedMessage(payload.attachments.length));
    return {
      domains: String(owner.domainId),
      inbound_routes: String(route.id),
      inbound_messages: String(received.body.ids[0]),
      messages: String(sent.json().id),
      spam_reviews: String(sent.json().id),
      attachments: String(payload.attachments.length),
      suppressions: String(suppression.id),
      imports: String(imported.json().id),
      templates: String(template.id),
      api_tokens: String(owner.tokenId),
      webhooks: String(webhookId),
      deliveries: delivery.id,
      dkim_keys: key?.dkim_selector ?? 'postern',
      organizations: String(owner.organizationId),
      // Operators' alone: a tenant's token is refused before anybody looks
      sending_pools: '1',
      operator_messages: '1',
      addresses: '1',
      assignments: '1',
    };
  }

  const inject = (name: string, path: string, headers: Partial<Record<Header, string>>) => {
    const payload = routes[name]?.payload;
    const request = { method: name.split(' ')[0], url: `/api/v1${path}`, headers };
    return api.app.inject({ ...request, ...(payload && { payload }) } as InjectOptions);
  };

  /** @param owners of each id in the path, in order */
  function fill(name: string, owners: Owner[]): string {
    const segments = pathOf(name).split('/');
    let index = 0;
    return segments
      .map((segment, at) => {
        if (!segment.startsWith(':')) return segment;
        const collection = segments[at - 1] ?? '';
        const owner = owners[index++] ?? 'missing';
        if (owner === 'missing') return MISSING[collection] ?? MISSING_ID;
        const id = things[owner][collection];
        assert.ok(id, `${name}: make one of ${collection} in this test`);
        return id;
      })
      .join('/');
  }

  const withIds = () => Object.keys(routes).filter((name) => countIds(name) > 0);
  const ofTenants = (name: string) => (routes[name]?.headers ?? []).filter((header) => header !== OPERATOR);

  it('are tried on every route there is', () => {
    const registered = api.watch.routes
      .filter(({ method, url }) => method !== 'HEAD' && url.startsWith('/api/v1/'))
      .filter(({ url }) => !url.startsWith('/api/v1/reference'))
      .map(({ method, url }) => `${method} ${url.slice('/api/v1'.length)}`);
    assert.deepEqual([...new Set(registered)].sort(), Object.keys(routes).sort());
  });

  it('own what the other is refused', async () => {
    const theirs = { [DOMAIN]: stranger.token, [ORGANIZATION]: stranger.organizationToken };
    for (const name of withIds().filter((one) => one.startsWith('GET '))) {
      for (const header of ofTenants(name) as (keyof typeof theirs)[]) {
        const path = fill(name, Array<Owner>(countIds(name)).fill('foreign'));
        const { statusCode, body } = await inject(name, path, { [header]: theirs[header] });
        assert.equal(statusCode, 200, `GET ${path}: ${body}`);
      }
    }
  });

  for (const name of withIds().filter((one) => ofTenants(one).length > 0)) {
    it(`get the same answer for another's thing as for none: ${name}`, async () => {
      for (const header of ofTenants(name)) {
        const given = { [header]: tokens[header] };
        const nothing = await inject(name, fill(name, []), given);
        assert.equal(nothing.statusCode, 404, nothing.body);
        for (const owners of combinations(countIds(name))) {
          const path = fill(name, owners);
          const answer = await inject(name, path, given);
          assert.deepEqual([answer.statusCode, answer.body], [404, nothing.body], `${header}: ${path}`);
        }
      }
    });
  }

  it('have changed nothing of the other', async () => {
    const { rows } = await api.store.pool.query<{ count: number }>(
      `select count(*) from audit_entries where organization_id = $1 and actor_token_id in
         (select id from api_tokens where organization_id <> $1)`,
      [stranger.organizationId],
    );
    assert.equal(rows[0]?.count, 0);
    assert.equal((await api.app.inject(sendRequest(stranger))).statusCode, 200);
  });

  for (const name of Object.keys(routes).filter((one) => one.startsWith('GET ') && countIds(one) === 0)) {
    it(`see nothing of another's: ${name}`, async () => {
      for (const header of ofTenants(name)) {
        const { statusCode, body } = await inject(name, pathOf(name), { [header]: tokens[header] });
        assert.equal(statusCode, 200, body);
        assert.equal(body.includes('theirs.test'), false, body);
      }
    });
  }

  for (const [foreign, missing] of [
    [() => `/messages?domain_id=${stranger.domainId}`, '/messages?domain_id=999999999'],
    [() => '/suppressions?domain=theirs.test', '/suppressions?domain=nobodys.test'],
  ] as const) {
    it(`cannot tell another's domain from none in a filter: ${missing}`, async () => {
      const headers = { [ORGANIZATION]: tenant.organizationToken };
      const [theirs, none] = await Promise.all(
        [foreign(), missing].map((path) => api.app.inject({ url: `/api/v1${path}`, headers })),
      );
      assert.deepEqual([theirs?.statusCode, theirs?.body], [none?.statusCode, none?.body]);
    });
  }

  for (const name of Object.keys(routes).filter((one) => routes[one]?.headers.length !== 0)) {
    it(`need a token of the right kind: ${name}`, async () => {
      const headers = routes[name]?.headers ?? [];
      const path = fill(name, Array<Owner>(countIds(name)).fill('own'));
      assert.equal((await inject(name, path, {})).statusCode, 401);
      for (const header of headers) {
        const refused = header === DOMAIN ? 400 : 401; // contract 1.3
        for (const other of [DOMAIN, ORGANIZATION, OPERATOR].filter((kind) => kind !== header) as Header[]) {
          const { statusCode } = await inject(name, path, { [header]: tokens[other] });
          assert.equal(statusCode, refused, `${header} with the token of ${other}`);
          if (!headers.includes(other)) {
            assert.equal((await inject(name, path, { [other]: tokens[other] })).statusCode, 401, other);
          }
        }
      }
    });
  }
});

function pathOf(name: string): string {
  return name.split(' ')[1] ?? '';
}

function countIds(name: string): number {
  return name.split(':').length - 1;
}

/** Whose each id of a path may be, where not all of them are one's own. */
function combinations(count: number): Owner[][] {
  const owners: Owner[] = ['own', 'foreign', 'missing'];
  let all: Owner[][] = [[]];
  for (let place = 0; place < count; place++) {
    all = all.flatMap((before) => owners.map((owner) => [...before, owner]));
  }
  return all.filter((one) => one.some((owner) => owner !== 'own'));
}

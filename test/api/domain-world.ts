/** An api whose domains can be verified: the DNS is the test's own. */
import assert from 'node:assert/strict';
import { startTestDns, type TestDns } from '../support/dns.ts';
import { startTestApi, type Tenant, type TestApi } from './support.ts';

export interface DomainWorld {
  api: TestApi;
  dns: TestDns;
  tenant: Tenant;
  /** Of `/domains`, with the token of the tenant's organization unless another is given */
  call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    payload?: object,
    token?: string,
    // biome-ignore lint/suspicious/noExplicitAny: whatever the api answers
  ): Promise<{ status: number; body: any }>;
  /** One of the tenant's. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the api answers
  createDomain(url: string): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the api answers
  verify(id: number): Promise<any>;
  close(): Promise<void>;
}

export async function startDomainWorld(prefix: string): Promise<DomainWorld> {
  const dns = await startTestDns();
  const api = await startTestApi(prefix, { sandbox: { dnsPort: dns.port } });
  const tenant = await api.createTenant();
  const call: DomainWorld['call'] = async (method, path, payload, token = tenant.organizationToken) => {
    const response = await api.app.inject({
      method,
      url: `/api/v1/domains${path}`,
      headers: { 'mailpace-organization-token': token },
      ...(payload ? { payload } : {}),
    });
    return { status: response.statusCode, body: response.json() };
  };
  return {
    ...{ api, dns, tenant, call },
    async createDomain(url) {
      const { status, body } = await call('POST', '', { domain: { url } });
      assert.equal(status, 201);
      return body;
    },
    verify: async (id) => (await call('POST', `/${id}/verify`)).body,
    async close() {
      await api.close();
      await dns.close();
    },
  };
}

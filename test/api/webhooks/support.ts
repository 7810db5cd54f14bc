/** An api that may send webhooks to loopback, with a dispatcher, and verbs to use them by. */
import { Registry } from 'prom-client';
import { type Dispatcher, startDispatcher } from '../../../api/webhooks/dispatcher.ts';
import { createWebhookMetrics } from '../../../api/webhooks/metrics.ts';
import { type DeliveryEventChanges, deliveryEvent } from '../../support/delivery-event.ts';
import type { Changes } from '../../support/settings.ts';
import { log, sendRequest, startTestApi, type Tenant, type TestApi } from '../support.ts';

export interface WebhookApi extends TestApi {
  registry: Registry;
  startDispatcher(): Dispatcher;
  manage(
    tenant: Tenant,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    payload?: object,
    // biome-ignore lint/suspicious/noExplicitAny: whatever the api answers
  ): Promise<{ status: number; body: any }>;
  /** @returns its id and secret */
  createWebhook(
    tenant: Tenant,
    webhook: { url: string; events?: string[] },
  ): Promise<{ id: number; secret: string }>;
  send(tenant: Tenant, payload?: object): Promise<number>;
  /** As the mta reports it. */
  report(...events: DeliveryEventChanges[]): Promise<void>;
}

export async function startWebhookApi(
  prefix: string,
  webhooks: Partial<TestApi['settings']['webhooks']> = {},
  others: Changes = {},
): Promise<WebhookApi> {
  const api = await startTestApi(prefix, {
    ...others,
    webhooks: { allowHttp: true, allowLoopback: true, ...webhooks },
  });
  const { store, settings } = api;
  const registry = new Registry();
  const metrics = createWebhookMetrics(store.pool, registry);

  const manage: WebhookApi['manage'] = async (tenant, method, path, payload) => {
    const response = await api.app.inject({
      method,
      url: `/api/v1/domains/${tenant.domainId}${path}`,
      headers: { 'mailpace-organization-token': tenant.organizationToken },
      ...(payload && { payload }),
    });
    return { status: response.statusCode, body: response.json() };
  };

  return {
    ...api,
    registry,
    manage,
    startDispatcher: () => startDispatcher({ store, settings, log, metrics }),
    async createWebhook(
      tenant,
      { url, events = ['email.queued', 'email.delivered', 'email.deferred', 'email.bounced'] },
    ) {
      const { status, body } = await manage(tenant, 'POST', '/webhooks', { webhook: { url, events } });
      if (status !== 201) throw new Error(JSON.stringify(body));
      return body;
    },
    async send(tenant, payload) {
      return (await api.app.inject(sendRequest(tenant, payload))).json<{ id: number }>().id;
    },
    async report(...events) {
      const response = await api.app.inject({
        method: 'POST',
        url: '/rpc/v1/delivery_events',
        headers: { authorization: `Bearer ${settings.secrets.serviceToken}` },
        payload: {
          events: events.map((event) => deliveryEvent({ occurredAt: new Date().toISOString(), ...event })),
        },
      });
      if (response.statusCode !== 200) throw new Error(response.body);
    },
  };
}

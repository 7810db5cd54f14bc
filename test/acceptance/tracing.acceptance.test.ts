import assert from 'node:assert/strict';
import { loadSettings } from '../../config/load.ts';
import { newRecipient, waitFor, waitForStatus } from '../support/mail.ts';
import { readStack } from '../support/stack.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../support/webhook-endpoint.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER_SPAN = '00f067aa0ba902b7';

interface ExportedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  status: { code?: number };
  service: string;
}

describe('traces', () => {
  let collector: WebhookEndpoint;
  before(async () => {
    collector = await startWebhookEndpoint(Number(new URL(loadSettings().tracing.endpoint).port));
    collector.answer = () => ({ status: 200, body: '{}' });
  });
  after(() => collector.close());

  it('show one message from the call to the recipient’s 250, in order, and nothing of any other', async () => {
    const stack = readStack();
    const send = async (headers: Record<string, string>) => {
      const response = await fetch(`${stack.api}/api/v1/send`, {
        method: 'POST',
        headers: {
          ...{ accept: 'application/json', 'content-type': 'application/json' },
          ...{ 'mailpace-server-token': stack.token, ...headers },
        },
        body: JSON.stringify({ from: `a@${stack.domain}`, to: newRecipient(), subject: 'x', textbody: 'x' }),
      });
      return ((await response.json()) as { id: number }).id;
    };
    const others = await send({});
    const id = await send({ traceparent: `00-${TRACE_ID}-${CALLER_SPAN}-01` });
    for (const one of [others, id]) await waitForStatus(stack, one, 'delivered');

    const way = ['POST /api/v1/send', 'worker.hand_over', 'mta.intake', 'mta.attempt'];
    await waitFor('a span of each', async () => readSpans(collector).length >= way.length || undefined);
    const spans = new Map(readSpans(collector).map((span) => [span.name, span]));

    assert.deepEqual(
      way.map((name) => spans.get(name)?.service),
      ['postern-api', 'postern-worker', 'postern-mta', 'postern-mta'],
    );
    assert.deepEqual(
      way.map((name) => spans.get(name)?.parentSpanId),
      [CALLER_SPAN, ...way.slice(0, -1).map((name) => spans.get(name)?.spanId)],
    );
    assert.deepEqual([...new Set(readSpans(collector).map(({ traceId }) => traceId))], [TRACE_ID]);
    assert.ok(readSpans(collector).every(({ status }) => !status.code));
  });
});

/** OTLP in JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
function readSpans({ received }: WebhookEndpoint): ExportedSpan[] {
  return received.flatMap(({ raw }) =>
    JSON.parse(raw.toString()).resourceSpans.flatMap(
      // biome-ignore lint/suspicious/noExplicitAny: what came is asserted on
      ({ resource, scopeSpans }: any) =>
        // biome-ignore lint/suspicious/noExplicitAny: as above
        scopeSpans.flatMap(({ spans }: any) =>
          spans.map((span: object) => ({
            ...span,
            service: resource.attributes.find(({ key }: { key: string }) => key === 'service.name').value
              .stringValue,
          })),
        ),
    ),
  );
}

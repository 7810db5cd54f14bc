import assert from 'node:assert/strict';
import { openTracer, readTraceparent, type Tracer, trace } from '../../../lib/tracing/tracer.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../../support/webhook-endpoint.ts';

const SAMPLED = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const NOT_SAMPLED = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
const log = { warn: () => {} };

describe('a tracer', () => {
  let collector: WebhookEndpoint;
  const tracers: Tracer[] = [];
  before(async () => {
    collector = await startWebhookEndpoint();
    collector.answer = () => ({ status: 200, body: '{}' });
  });
  after(() => collector.close());
  beforeEach(() => {
    collector.received.length = 0;
  });
  afterEach(() => Promise.all(tracers.splice(0).map((tracer) => tracer.close())));

  async function open(ratio: number, endpoint = `${collector.url}/v1/traces`): Promise<Tracer> {
    const tracer = await openTracer('test', { tracing: { endpoint, ratio } }, log);
    tracers.push(tracer);
    return tracer;
  }

  it('does nothing without an endpoint', async () => {
    const span = (await open(1, '')).begin('x', SAMPLED, { kind: 'server' });

    assert.equal(span.traceparent, undefined);
    span.end();
  });

  it('goes on with the trace of who asks, whatever the ratio', async () => {
    const { traceparent } = (await open(0)).begin('x', SAMPLED, { kind: 'server' });

    assert.match(
      traceparent ?? '',
      /^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$/,
    );
  });

  it('records nothing of who asks not to be traced, nor without a beginning', async () => {
    const tracer = await open(1);

    assert.equal(tracer.begin('x', NOT_SAMPLED, { kind: 'server' }).traceparent, undefined);
    assert.equal(tracer.resume('x', undefined, { kind: 'client' }).traceparent, undefined);
  });

  it('begins the share of traces that the ratio says', async () => {
    assert.equal((await open(0)).begin('x', undefined, { kind: 'server' }).traceparent, undefined);
    assert.match((await open(1)).begin('x', undefined, { kind: 'server' }).traceparent ?? '', /-01$/);
  });

  it('exports what there is when it closes, failures as such', async () => {
    const tracer = await open(1);
    const work = trace(tracer.begin('job', undefined, { kind: 'consumer' }), async () => {
      throw new Error('no mta');
    });
    await assert.rejects(work, /no mta/);

    await tracer.close();

    const [{ resourceSpans = [] } = {}] = collector.received.map(({ raw }) => JSON.parse(raw.toString()));
    const { name, status } = resourceSpans[0].scopeSpans[0].spans[0];
    assert.deepEqual([name, status], ['job', { code: 2, message: 'no mta' }]);
  });
});

describe('a traceparent', () => {
  for (const value of [
    ...['', 'x', `${SAMPLED}-more`, `01${SAMPLED.slice(2)}`, SAMPLED.toUpperCase()],
    ...[
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
    ],
    ...[undefined, [SAMPLED], `${SAMPLED}\r\nX-Evil: 1`],
  ])
    it(`is not ${JSON.stringify(value)?.slice(0, 80)}`, () =>
      assert.equal(readTraceparent(value), undefined));
});

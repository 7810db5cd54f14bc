/**
 * tracing: the mta's part of a message's trace. A span from the header to the queue, and one for each attempt, which
 * belong to the trace that the worker named; mail that nobody traces costs nothing.
 *
 * Settings: tracing.*. Without an endpoint it is not loaded.
 */
import type { Connection, Delivery, DeliveryError, Envelope, Plugin } from '../lib/mta-types.ts';
import { guard, pluginContext } from '../lib/plugin.ts';
import { openTracer, type Span, type Tracer } from '../lib/tracing/tracer.ts';

export const title = 'tracing';

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const hooks = createTracingHooks(openTracer('mta', settings, log));
  plugin.addHook('message:headers', guard('message:headers', log, hooks.beginIntake));
  plugin.addHook('message:queue', guard('message:queue', log, hooks.endIntake));
  plugin.addHook('sender:fetch', guard('sender:fetch', log, hooks.beginAttempt));
  plugin.addHook('sender:responseError', guard('sender:responseError', log, hooks.failAttempt));
  plugin.addHook('sender:delivered', guard('sender:delivered', log, hooks.endAttempt));
}

export function createTracingHooks(opened: Promise<Tracer> | Tracer) {
  const spans = new WeakMap<Envelope | Delivery, Span>();

  /** Behind plugins/intake, which says what message it is. */
  async function beginIntake(envelope: Envelope): Promise<void> {
    const { traceparent, messageId } = envelope.postern ?? {};
    if (traceparent === undefined) return;
    const attributes = { 'postern.message_id': messageId, 'postern.queue_id': envelope.id };
    const span = (await opened).resume('mta.intake', traceparent, { kind: 'server', attributes });
    spans.set(envelope, span);
    // What comes next, in another process, is part of it.
    if (envelope.postern && span.traceparent) envelope.postern.traceparent = span.traceparent;
  }

  function endIntake(envelope: Envelope): void {
    spans.get(envelope)?.end();
  }

  async function beginAttempt(delivery: Delivery): Promise<void> {
    const { postern, claim, domain } = delivery;
    if (postern.traceparent === undefined) return;
    const attributes = {
      'postern.message_id': postern.messageId,
      'postern.attempt': claim.attempt,
      'postern.recipient_domain': domain,
    };
    const tracer = await opened;
    spans.set(delivery, tracer.resume('mta.attempt', postern.traceparent, { kind: 'client', attributes }));
  }

  function failAttempt(delivery: Delivery, _connection: Connection | false, error: DeliveryError): void {
    const code = readCode(error.response);
    spans.get(delivery)?.end(describe(delivery, code), code ? `refused with ${code}` : 'no answer');
  }

  function endAttempt(delivery: Delivery): void {
    spans.get(delivery)?.end(describe(delivery, 250));
  }

  return { beginIntake, endIntake, beginAttempt, failAttempt, endAttempt };
}

function describe({ attempt }: Delivery, code: number | undefined) {
  return {
    'server.address': attempt?.mx?.hostname,
    'network.local.address': attempt?.localAddress ?? undefined,
    'tls.protocol.version': attempt?.tls?.version,
    'postern.reply_code': code,
  };
}

/** The text of a reply is the remote's, and may say anything; its code is enough here. */
function readCode(response = ''): number | undefined {
  const code = /^[2-5]\d\d/.exec(response)?.[0];
  return code === undefined ? undefined : Number(code);
}

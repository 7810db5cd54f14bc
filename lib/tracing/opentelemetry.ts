/** The tracer over OpenTelemetry's SDK. Exports by OTLP/HTTP, in batches; what the collector does not take is dropped. */
import {
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span as SdkSpan,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../log.ts';
import { noTracer, type Span, type SpanStart, type Tracer } from './tracer.ts';

const EXPORT_EVERY_MS = 1_000;
const EXPORT_TIMEOUT_MS = 5_000;

const kinds: Record<SpanStart['kind'], SpanKind> = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
};

export function createTracer(
  service: string,
  { endpoint, ratio }: Settings['tracing'],
  log: Pick<Logger, 'warn'>,
): Tracer {
  reportTrouble(log);
  const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_TIMEOUT_MS });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'process.pid': process.pid }),
    // Who begins a trace decides whether it is recorded; all others follow.
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: EXPORT_EVERY_MS })],
  });
  const tracer = provider.getTracer('postern');

  function begin(name: string, parent: string | undefined, { kind, attributes = {} }: SpanStart): Span {
    return wrap(tracer.startSpan(name, { kind: kinds[kind], attributes }, contextOf(parent)));
  }

  return {
    begin,
    resume: (name, parent, start) =>
      parent === undefined ? noTracer.begin(name, parent, start) : begin(name, parent, start),
    close: () => provider.shutdown(),
  };
}

function contextOf(parent: string | undefined): Context {
  const found = parent === undefined ? null : parseTraceParent(parent);
  return found ? trace.setSpanContext(ROOT_CONTEXT, { ...found, isRemote: true }) : ROOT_CONTEXT;
}

function wrap(span: SdkSpan): Span {
  if (!span.isRecording()) return noTracer.begin('', undefined, { kind: 'internal' });
  const { traceId, spanId } = span.spanContext();
  const flags = TraceFlags.SAMPLED.toString(16).padStart(2, '0');
  return {
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    end(attributes, failure) {
      if (attributes) span.setAttributes(attributes);
      if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      span.end();
    },
  };
}

/** A collector that is down costs traces, nothing else. */
function reportTrouble(log: Pick<Logger, 'warn'>): void {
  const warn = (reason: string) => log.warn({ reason }, 'tracing.failed');
  const ignore = () => {};
  diag.setLogger({ error: warn, warn, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.WARN);
}

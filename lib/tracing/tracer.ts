/**
 * Spans of a message's way, from the api call to the remote's 250, as OpenTelemetry has them. Where the message goes,
 * its context goes along in W3C's form, `traceparent`: in RPC, in the job of the hand-over, in a header line for the
 * mta, and in the queue.
 *
 * Off by default: then nothing of OpenTelemetry is loaded, and a span is an object that does nothing.
 */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../log.ts';

/** W3C Trace Context 3.2: version 00 only, as later ones may be longer. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export const TRACEPARENT_HEADER = 'traceparent';

/** Numbers, texts and truths about a span; names as OpenTelemetry's conventions have them, else `postern.*`. */
export type Attributes = Record<string, string | number | boolean | undefined>;

export interface SpanStart {
  kind: 'server' | 'client' | 'consumer' | 'internal';
  attributes?: Attributes;
}

export interface Span {
  /** For who goes on with it; undefined where nothing is recorded. */
  readonly traceparent: string | undefined;
  /** @param failure what went wrong, in short; the span counts as failed */
  end(attributes?: Attributes, failure?: string): void;
}

export interface Tracer {
  /** Where a message's way begins. Goes on with the caller's trace where it names one. */
  begin(name: string, parent: string | undefined, start: SpanStart): Span;
  /** On its way. Without a parent nothing is recorded: a trace has its beginning, or is none. */
  resume(name: string, parent: string | undefined, start: SpanStart): Span;
  /** Exports what is left. */
  close(): Promise<void>;
}

const noSpan: Span = { traceparent: undefined, end() {} };

export const noTracer: Tracer = { begin: () => noSpan, resume: () => noSpan, async close() {} };

/** Undefined: it is none. */
export function readTraceparent(value: unknown): string | undefined {
  return typeof value === 'string' && TRACEPARENT.test(value) ? value : undefined;
}

/** Ends the span when the work has ended, as failed where that throws. @param describe what the result says of it */
export async function trace<T>(
  span: Span,
  work: (traceparent: string | undefined) => Promise<T>,
  describe?: (result: T) => Attributes,
): Promise<T> {
  try {
    const result = await work(span.traceparent);
    span.end(describe?.(result));
    return result;
  } catch (error) {
    span.end({}, error instanceof Error ? error.message : String(error));
    throw error;
  }
}

/** @param service names the process in traces */
export async function openTracer(
  service: string,
  { tracing }: Pick<Settings, 'tracing'>,
  log: Pick<Logger, 'warn'>,
): Promise<Tracer> {
  if (!tracing.endpoint) return noTracer;
  const { createTracer } = await import('./opentelemetry.ts');
  return createTracer(`postern-${service}`, tracing, log);
}

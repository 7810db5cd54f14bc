/** The counters and gauges of a worker; the process that started the workers adds them up. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface InboundMetrics {
  /** Ends of DATA. outcome: accepted, deferred (4xx), refused (5xx) */
  messages: Counter<'outcome'>;
  /** outcome: accepted, unknown, deferred, refused */
  recipients: Counter<'outcome'>;
  /** check: spf, dkim, dmarc, arc; result as in RFC 8601 */
  authentications: Counter<'check' | 'result'>;
  /** From the dot to the reply */
  replySeconds: Histogram;
  /** Seconds since 1970 */
  certificateExpiry: Gauge;
}

export function createInboundMetrics(registry: Registry): InboundMetrics {
  const registers = [registry];
  return {
    messages: new Counter({
      name: 'postern_inbound_messages_total',
      help: 'Messages that came in from outside, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    recipients: new Counter({
      name: 'postern_inbound_recipients_total',
      help: 'Recipients that were named, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    authentications: new Counter({
      name: 'postern_inbound_authentications_total',
      help: 'Results of SPF, DKIM, DMARC and ARC',
      labelNames: ['check', 'result'],
      registers,
    }),
    replySeconds: new Histogram({
      name: 'postern_inbound_reply_seconds',
      help: 'From the end of a message to the reply',
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
      registers,
    }),
    certificateExpiry: new Gauge({
      name: 'postern_inbound_certificate_expiry_timestamp_seconds',
      help: 'When the certificate in use ends',
      aggregator: 'min',
      registers,
    }),
  };
}

/** What is read when somebody asks */
export function addInboundGauges(
  registry: Registry,
  { sessions, bufferedBytes }: { sessions(): number; bufferedBytes(): number },
): void {
  const add = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  add('postern_inbound_sessions', 'SMTP sessions at the moment', sessions);
  add('postern_inbound_buffered_bytes', 'Message bytes in memory at the moment', bufferedBytes);
}

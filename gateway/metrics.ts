/** The counters and gauges of the gateway. */
import { Counter, Gauge, type Registry } from 'prom-client';

export interface GatewayMetrics {
  /** Ends of DATA. outcome: accepted, deferred (4xx), refused (5xx), aborted (the client left) */
  messages: Counter<'outcome'>;
  /** outcome: ok, failed, throttled, unavailable */
  authentications: Counter<'outcome'>;
  /** Seconds since 1970 */
  certificateExpiry: Gauge;
}

export interface GaugeSources {
  sessions(): number;
  bufferedBytes(): number;
}

export function createGatewayMetrics(registry: Registry): GatewayMetrics {
  const registers = [registry];
  return {
    messages: new Counter({
      name: 'postern_gateway_messages_total',
      help: 'Messages that came in by SMTP, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    authentications: new Counter({
      name: 'postern_gateway_authentications_total',
      help: 'SMTP AUTH attempts, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    certificateExpiry: new Gauge({
      name: 'postern_gateway_certificate_expiry_timestamp_seconds',
      help: 'When the certificate in use ends',
      registers,
    }),
  };
}

/** What is read when somebody asks */
export function addGauges(registry: Registry, { sessions, bufferedBytes }: GaugeSources): void {
  addGauge(registry, 'postern_gateway_sessions', 'SMTP sessions at the moment', sessions);
  addGauge(
    registry,
    'postern_gateway_buffered_bytes',
    'Message bytes in memory at the moment',
    bufferedBytes,
  );
}

function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

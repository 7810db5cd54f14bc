/** What Prometheus sees of webhooks, in the worker. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Pool } from '../database.ts';
import type { Attempt } from '../models/webhook-attempt.ts';
import { measureWebhooks } from '../models/webhook-claim.ts';

export interface WebhookMetrics {
  count(attempt: Attempt): void;
}

export function createWebhookMetrics(pool: Pool, registry: Registry): WebhookMetrics {
  const total = new Counter({
    name: 'postern_webhook_attempts_total',
    help: 'Attempts to deliver a webhook, by outcome',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'postern_webhook_attempt_seconds',
    help: 'Duration of attempts to deliver a webhook',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
    registers: [registry],
  });
  new Gauge({
    name: 'postern_webhook_oldest_due_seconds',
    help: 'How long the longest due webhook has been due',
    registers: [registry],
    async collect() {
      this.set((await measureWebhooks(pool)).oldestDueSeconds);
    },
  });
  return {
    count({ outcome, durationMs }) {
      total.inc({ outcome });
      seconds.observe(durationMs / 1000);
    },
  };
}

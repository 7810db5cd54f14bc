/** The queue as people read it. */
import type {
  Action,
  Delivery,
  Limit,
  Outcome,
  Pause,
  ShownDelivery,
  Slowdown,
  Summary,
} from './control-api.ts';
import { clean, formatDuration, formatTable } from './text.ts';

const plural = (count: number) => `${count} ${count === 1 ? 'delivery' : 'deliveries'}`;

export function formatOutcome(done: string, { dryRun, affected, inAttempt }: Outcome): string {
  const main = dryRun ? `${plural(affected)} would be ${done}.` : `${plural(affected)} ${done}.`;
  return inAttempt > 0 ? `${main} ${plural(inAttempt)} in an attempt just now: not touched.` : main;
}

export function formatDeliveries(deliveries: Delivery[], limit: number): string {
  if (deliveries.length === 0) return 'Nothing.';
  const rows = deliveries.map((delivery) => [
    `${delivery.queueId}.${delivery.sequence}`,
    String(delivery.message),
    delivery.recipient,
    delivery.state,
    delivery.state === 'deferred' ? delivery.dueAt : '',
    String(delivery.attempts),
    delivery.heldReason ?? delivery.lastResponse ?? '',
  ]);
  const table = formatTable(['id', 'message', 'recipient', 'state', 'due', 'attempts', 'reply'], rows);
  const last = deliveries.at(-1);
  return deliveries.length < limit || !last
    ? table
    : `${table}\nThere may be more: --after ${last.queueId}.${last.sequence}`;
}

export function formatDelivery({ envelope, ...delivery }: ShownDelivery): string {
  const facts: [string, unknown][] = [
    ['recipient', delivery.recipient],
    ['message', delivery.message],
    ['from', envelope?.from ?? '(the stored envelope cannot be read)'],
    ['signed for', envelope?.signedFor],
    ['body', envelope && `${envelope.bodyBytes} bytes, ${envelope.recipients} recipients`],
    ['organization', delivery.organization],
    ['zone', delivery.zone],
    ['site', delivery.site],
    ['priority', delivery.priority],
    ['tags', delivery.tags.join(', ')],
    ['state', delivery.state],
    ['held', delivery.heldReason],
    ['pause', delivery.pausedBy],
    ['claimed by', delivery.claimedBy],
    ['due', delivery.dueAt],
    ['created', delivery.createdAt],
    ['expires', delivery.expiresAt],
    ['attempts', `${delivery.attempts}, of them deferred ${delivery.deferrals}`],
    ['last reply', delivery.lastResponse],
  ];
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const lines = shown.map(([name, value]) => `  ${name.padEnd(12)} ${clean(String(value))}`);
  return [`Delivery ${delivery.queueId}.${delivery.sequence}`, ...lines].join('\n');
}

export function formatSummary(summary: Summary): string {
  if (summary.zone.length === 0) return 'The queue is empty.';
  return (['zone', 'organization', 'domain', 'site'] as const)
    .map((kind) =>
      formatTable(
        [kind, 'deliveries', 'due', 'paused', 'held', 'oldest due'],
        summary[kind].map(({ name, deliveries, due, paused, held, oldestDueSeconds: seconds }) => [
          name,
          ...[deliveries, due, paused, held].map(String),
          seconds === null ? '' : formatDuration(seconds),
        ]),
      ),
    )
    .join('\n\n');
}

export function formatPauses(pauses: Pause[]): string {
  if (pauses.length === 0) return 'Nothing is paused.';
  return formatTable(
    ['id', 'selector', 'reason', 'by', 'since', 'until'],
    pauses.map((pause) => [
      String(pause.id),
      formatSelector(pause.selector),
      pause.reason,
      pause.createdBy,
      pause.createdAt,
      pause.endsAt ?? 'resumed',
    ]),
  );
}

export function formatActions(actions: Action[]): string {
  if (actions.length === 0) return 'Nobody has done anything yet.';
  return formatTable(
    ['id', 'when', 'verb', 'selector', 'parameters', 'affected', 'by', 'reason'],
    actions.map(({ id, createdAt, finishedAt, verb, selector, parameters, affected, actor, reason }) => [
      String(id),
      createdAt,
      verb,
      formatSelector(selector),
      formatSelector(parameters),
      `${affected}${finishedAt === null ? ' (not finished)' : ''}`,
      actor,
      reason ?? '',
    ]),
  );
}

export function formatLimits(limits: Limit[]): string {
  return formatTable(
    ['destination', 'at a time', 'a second'],
    limits.map(({ destination, connections, ratePerSecond }) => [
      destination,
      String(connections),
      ratePerSecond === undefined ? '' : String(ratePerSecond),
    ]),
  );
}

export function formatSlowdowns(slowdowns: Slowdown[]): string {
  if (slowdowns.length === 0) return 'No destination pushes back.';
  return formatTable(
    ['zone', 'destination', 'at a time', 'since', 'next try', 'reply'],
    slowdowns.map(({ zone, destination, connections, since, retryAt, response }) => [
      zone,
      destination,
      String(connections),
      since,
      retryAt ?? 'now',
      response,
    ]),
  );
}

function formatSelector(selector: Record<string, unknown>): string {
  return Object.entries(selector)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}

/** What a doctor finds: one finding a check, each with what to do where it is not well. Pure: facts in, findings out. */
import type { Diagnosis, Summary } from '../control-api.ts';
import { formatDuration } from '../text.ts';
import { type Finding, finding } from './finding.ts';

const MAX_DUE_SECONDS = 300;
const MAX_OUTBOX_SECONDS = 60;

export interface Facts {
  /** By name, why it is not well; undefined: it is */
  processes: ReadonlyMap<string, string | undefined>;
  /** The same, of databases and Redis */
  servers: ReadonlyMap<string, string | undefined>;
  /** The reason where the mta could not be asked */
  diagnosis: Diagnosis | string;
  /** Of the queue; undefined where the mta could not be asked */
  zones: Summary['zone'] | undefined;
}

export function examine({ processes, servers, diagnosis, zones }: Facts): Finding[] {
  return [
    ...[...servers].map(([name, fault]) =>
      finding(
        name,
        fault,
        'It answers.',
        `Start it, or correct its address: bin/postern config check shows it.`,
      ),
    ),
    ...[...processes].map(([name, fault]) =>
      finding(name, fault, 'It is up.', `bin/up starts it; its log is log/${name}.log of the installation.`),
    ),
    ...(typeof diagnosis === 'string'
      ? [finding('queue', diagnosis, '', 'See what the mta and its database lack, above.')]
      : examineQueue(diagnosis)),
    ...(zones ? [examineZones(zones)] : []),
  ];
}

/** Sites come and go; a zone in which nothing leaves is ours. */
function examineZones(zones: Summary['zone']): Finding {
  const stuck = zones.filter(({ oldestDueSeconds }) => (oldestDueSeconds ?? 0) > MAX_DUE_SECONDS);
  const names = stuck.map(
    ({ name, due, oldestDueSeconds }) =>
      `${name} (${due} due, the oldest for ${formatDuration(oldestDueSeconds ?? 0)})`,
  );
  return finding(
    'zones',
    stuck.length > 0 ? `Mail could leave and does not: ${names.join(', ')}.` : undefined,
    'Mail leaves in each.',
    'Look for queue.stalled in the log of the mta; queue summary and queue limits show what holds it back; bin/postern doctor again in a minute, since the watchdog replaces senders that hang; then restart the mta.',
  );
}

function examineQueue({ counts, oldestDue, outbox, overduePauses, pauses, paused }: Diagnosis): Finding[] {
  return [
    finding(
      'counters',
      counts.drift === 0 ? undefined : `${counts.drift} accepted deliveries are nowhere.`,
      `They add up: ${counts.accepted} accepted, ${counts.queued} queued.`,
      'Rows were changed by other means than Postern, or it has a defect: compare queue actions, the log of the mta and the timelines; report it.',
    ),
    finding(
      'oldest due delivery',
      oldestDue && oldestDue.seconds > MAX_DUE_SECONDS
        ? `One to ${oldestDue.site} has been due for ${formatDuration(oldestDue.seconds)}.`
        : undefined,
      oldestDue ? `Due for ${formatDuration(oldestDue.seconds)}.` : 'Nothing waits.',
      'queue summary says where it waits; queue limits shows what holds it back; mta.connections may be too few.',
    ),
    finding(
      'outbox',
      outbox.oldestSeconds > MAX_OUTBOX_SECONDS
        ? `${outbox.events} events wait, the oldest for ${formatDuration(outbox.oldestSeconds)}.`
        : undefined,
      `${outbox.events} events wait for the api.`,
      'The api does not take them: see its state above, and status.* in the log of the mta.',
    ),
    finding(
      'parked events',
      outbox.parked > 0 ? `The api has refused ${outbox.parked} events for good.` : undefined,
      'None.',
      'Their reasons are in delivery_events.parked_reason of the queue database; timelines lack them.',
    ),
    finding(
      'held deliveries',
      counts.held > 0 ? `${counts.held} wait for a decision.` : undefined,
      'None.',
      'queue list shows them with their reasons; queue flush tries them again, bounce or cancel ends them.',
    ),
    finding(
      'pauses',
      overduePauses > 0 ? `${overduePauses} should have ended by themselves.` : undefined,
      `${pauses} in effect, ${paused} deliveries wait for them.`,
      'The master does not look after them: see upkeep.round_failed in its log; queue resume ends a pause.',
    ),
  ];
}

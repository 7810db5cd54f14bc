/**
 * The load: `smtp-source` of Postfix, which sends over connections that stay open. It knows one recipient only, so
 * for several destinations there are as many of it at a time as there are sessions, run by xargs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { endWithUs } from './children.ts';
import { HOSTNAME, listDestinations, SENDER } from './names.ts';

/**
 * Messages of one smtp-source when there are several destinations: few, so that destinations mix, but not too few: its
 * start takes 13 ms of CPU.
 */
const MESSAGES_AT_A_TIME = 50;

export interface Load {
  messages: number;
  bodyBytes: number;
  sessions: number;
  destinations: number;
}

export interface SourcePlan {
  /** At a time. */
  processes: number;
  sessionsEach: number;
  messagesEach: number;
  /** Recipient domain of each smtp-source, in the order of their start. */
  domains: string[];
}

/** Sends at least one message to each destination, and close to `messages` in all: every process sends as many. */
export function planSource({ messages, sessions, destinations }: Load): SourcePlan {
  const names = listDestinations(destinations);
  if (destinations === 1) {
    return { processes: 1, sessionsEach: sessions, messagesEach: messages, domains: names };
  }
  const perDestination = Math.max(1, Math.round(messages / destinations));
  const rounds = Math.ceil(perDestination / MESSAGES_AT_A_TIME);
  return {
    processes: sessions,
    sessionsEach: 1,
    messagesEach: Math.max(1, Math.round(perDestination / rounds)),
    domains: Array.from({ length: rounds }, () => names).flat(),
  };
}

export function countMessages({ messagesEach, domains }: SourcePlan): number {
  return messagesEach * domains.length;
}

/** @throws when a message was not accepted */
export async function runSource(
  plan: SourcePlan,
  target: { port: number; bodyBytes: number },
): Promise<void> {
  const source = [
    ...['smtp-source', '-4', '-d', '-M', HOSTNAME, '-f', SENDER, '-t', 'rcpt@{}'],
    ...['-s', String(plan.sessionsEach), '-m', String(plan.messagesEach), '-l', String(target.bodyBytes)],
    `127.0.0.1:${target.port}`,
  ];
  const child = spawn('xargs', ['-P', String(plan.processes), '-I', '{}', ...source], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });
  endWithUs(child);
  child.stdin.end(plan.domains.join('\n'));
  const [complaints, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  if (code !== 0)
    throw new Error(`smtp-source failed: ${complaints.trim().split('\n').slice(-3).join('; ')}`);
}

/** The options by which the queue commands select deliveries, and durations as people write them. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Selector } from '../mta/queue/selector.ts';

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

export interface SelectionOptions {
  message?: number;
  recipient?: string;
  domain?: string;
  site?: string;
  organization?: number;
  tag?: string;
  zone?: string;
  olderThan?: number;
  all?: boolean;
}

/** All that are given must hold. */
export function addSelection(command: Command): Command {
  return command
    .option('--message <id>', 'as the api numbers it', readId)
    .option('--recipient <address>')
    .option('--domain <name>', "of the recipients' addresses")
    .option('--site <name>', 'the provider behind their MX, as google')
    .option('--organization <id>', 'who sends', readId)
    .option('--tag <tag>')
    .option('--zone <name>', 'that is to send it')
    .option('--older-than <duration>', 'in the queue for longer than 90s, 30m, 2h, 3d', readDuration)
    .option('--all', 'the whole queue, where nothing else is said');
}

export function toSelector({ olderThan, ...options }: SelectionOptions): Selector {
  const { message, recipient, domain, site, organization, tag, zone, all } = options;
  return {
    ...(message !== undefined && { message }),
    ...(recipient !== undefined && { recipient }),
    ...(domain !== undefined && { domain }),
    ...(site !== undefined && { site }),
    ...(organization !== undefined && { organization }),
    ...(tag !== undefined && { tag }),
    ...(zone !== undefined && { zone }),
    ...(olderThan !== undefined && { olderThanSeconds: olderThan }),
    ...(all !== undefined && { all }),
  };
}

export function readId(text: string): number {
  const id = Number(text);
  if (!Number.isSafeInteger(id) || id < 1) throw new InvalidArgumentError('It must be a number, as 42.');
  return id;
}

/** @returns seconds */
export function readDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d{1,9})(s|m|min|h|d)?$/.exec(text.trim()) ?? [];
  const seconds = Number(amount) * (UNIT_SECONDS[unit] ?? Number.NaN);
  if (!Number.isSafeInteger(seconds))
    throw new InvalidArgumentError('It must be a duration, as 90s, 30m, 2h or 3d.');
  return seconds;
}

/** A duration from now, or a moment. @returns ISO 8601 */
export function readMoment(text: string): string {
  const moment = /^\d{1,9}(?:s|m|min|h|d)?$/.test(text.trim())
    ? new Date(Date.now() + readDuration(text) * 1000)
    : new Date(text);
  if (Number.isNaN(moment.getTime()))
    throw new InvalidArgumentError('It must be a duration, as 2h, or a moment, as 2027-01-31T18:00:00Z.');
  return moment.toISOString();
}

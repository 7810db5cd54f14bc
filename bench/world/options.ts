/** How the options of the benchmarks are read. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Override } from '../servers/installation.ts';

/** What every benchmark takes. */
export interface UsualOptions {
  set: Override[];
  json?: string;
  directory?: string;
}

/** @param describeCost with the options that were given: `29 min`, `29 min and 18 GB of disk` */
export function addUsualOptions(program: Command, describeCost: () => string): void {
  program
    .option('--set <section.key=value>', 'a setting of Postern, in JSON; repeatable', readOverride, [])
    .option('--json <file>', 'write everything measured there')
    .option('--directory <path>', 'where queues and databases lie: decides which disk is measured')
    .addHelpText('after', () => `\nTakes about ${describeCost()} with these options.`);
}

/** `--only postern` */
export function onlyOption(): Option {
  return new Option('--only <server>', 'measure one of them').choices(['postern', 'postfix']);
}

/** `1,20` */
export function readList(text: string): number[] {
  return text.split(',').map(readCount);
}

/** A whole number above zero. */
export function readCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Not a whole number above zero.');
  return value;
}

/** `mta.connections=40`; a later one of the same name wins. */
export function readOverride(text: string, previous: readonly Override[]): Override[] {
  const parts = /^(?<name>[a-z]+\.[A-Za-z]+)=(?<value>.+)$/.exec(text)?.groups;
  if (!parts?.name || !parts.value) throw new InvalidArgumentError('Not of the form section.key=value.');
  return [...previous, [parts.name, readValue(parts.value)]];
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a word needs no quotes
  }
}

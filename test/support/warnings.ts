/** What the processes of the stack warned of, for somebody who has only the output of a run. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const MAX_LINES = 12;
/** A line of pino at level warn or above */
const WARNING = /^\{"level":[4-6]0,/;

/** The last warnings in each log file of the directory, each behind the name of its process. */
export function readWarnings(logDirectory: string): string[] {
  return readdirSync(logDirectory)
    .filter((file) => file.endsWith('.log'))
    .flatMap((file) => {
      const lines = readFileSync(join(logDirectory, file), 'utf8').split('\n');
      const warnings = lines.filter((line) => WARNING.test(line)).slice(-MAX_LINES);
      return warnings.map((line) => `${basename(file, '.log')}: ${line.slice(0, 600)}`);
    });
}

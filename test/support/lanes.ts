/**
 * The tests of a run, in lanes. Those of the running stack take turns with it, and stop and kill its processes; those of
 * a whole mta mostly wait for it, and come after them. All others have a database each, and run meanwhile. A lane that is
 * not the stack's has servers of its own.
 */
import { globSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ALL_TESTS = 'test/**/*.test.ts';

export interface Lane {
  /** `stack`: needs the whole running stack; `mta`: starts a ZoneMTA; `rest`: needs at most a Postgres and a Redis */
  kind: 'stack' | 'mta' | 'rest';
  files: string[];
}

export interface TestPlan {
  /** Only those with files */
  lanes: Lane[];
  /** For mocha, as they came */
  options: string[];
}

/** @param parameters of bin/test: files, directories that stand for the tests below them, patterns, options of mocha */
export function planTests(parameters: readonly string[]): TestPlan {
  const options: string[] = [];
  const selected: string[] = [];
  for (const parameter of parameters) {
    const found = statSync(parameter, { throwIfNoEntry: false });
    if (found?.isDirectory()) selected.push(...globSync(join(parameter, '**/*.test.ts')));
    else if (found) selected.push(parameter);
    else if (parameter.endsWith('.test.ts')) selected.push(...globSync(parameter));
    else options.push(parameter);
  }
  const chosen = options.length === parameters.length ? globSync(ALL_TESTS) : selected;
  const files = [...new Set(chosen.map((file) => resolve(file)))].sort();
  const lanes: Lane[] = (['stack', 'mta', 'rest'] as const).map((kind) => ({
    kind,
    files: files.filter((file) => kindOf(file) === kind),
  }));
  return { options, lanes: lanes.filter((lane) => lane.files.length > 0) };
}

function kindOf(file: string): Lane['kind'] {
  if (file.endsWith('.acceptance.test.ts')) return 'stack';
  return file.includes('/test/acceptance/') ? 'mta' : 'rest';
}

/**
 * The tests of a run, in lanes beside each other. Those of the running stack take turns with it, and stop and kill its
 * processes; all others have a database each, and so run meanwhile on servers of their own.
 */
import { globSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ALL_TESTS = 'test/**/*.test.ts';

export interface Lane {
  /** `stack`: needs the whole running stack; `own`: needs at most a Postgres and a Redis */
  kind: 'stack' | 'own';
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
  const isOfStack = (file: string) => file.endsWith('.acceptance.test.ts');
  const lanes: Lane[] = [
    { kind: 'stack', files: files.filter(isOfStack) },
    { kind: 'own', files: files.filter((file) => !isOfStack(file)) },
  ];
  return { options, lanes: lanes.filter((lane) => lane.files.length > 0) };
}

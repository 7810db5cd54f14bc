import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { planTests } from './lanes.ts';

describe('planTests', () => {
  it('takes all tests where none is named, those of the running stack apart', () => {
    const { lanes, options } = planTests(['--grep', 'SM-2']);

    assert.deepEqual(options, ['--grep', 'SM-2']);
    assert.deepEqual(
      lanes.map(({ kind, files }) => [
        kind,
        files.every((file) => /\.acceptance\./.test(file) === (kind === 'stack')),
      ]),
      [
        ['stack', true],
        ['own', true],
      ],
    );
    assert.ok(lanes[1]?.files.includes(resolve('test/support/lanes.unit.test.ts')));
  });

  it('takes files, directories and patterns, each test once', () => {
    const { lanes } = planTests([
      'test/dialogs',
      'test/support',
      'test/support/lanes.unit.test.ts',
      'test/config/l*.unit.test.ts',
    ]);

    assert.deepEqual(
      lanes.map(({ kind, files }) => [kind, files.length]),
      [
        ['stack', 1],
        ['own', 2],
      ],
    );
  });

  it('has no lane without tests', () => {
    assert.deepEqual(planTests(['test/support/nothing-*.test.ts']).lanes, []);
  });
});

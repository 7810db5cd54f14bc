import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { planTests } from './lanes.ts';

describe('planTests', () => {
  it('takes all tests where none is named, those of the running stack and those of a whole mta apart', () => {
    const { lanes, options } = planTests(['--grep', 'SM-2']);

    assert.deepEqual(options, ['--grep', 'SM-2']);
    assert.deepEqual(
      lanes.map(({ kind }) => kind),
      ['stack', 'mta', 'rest'],
    );
    const [stack, mta, rest] = lanes.map(({ files }) => files);
    assert.ok(stack?.every((file) => file.endsWith('.acceptance.test.ts')));
    assert.ok(mta?.every((file) => file.includes('/test/acceptance/')));
    assert.ok(rest?.includes(resolve('test/support/lanes.unit.test.ts')));
    assert.ok(!rest?.some((file) => file.includes('acceptance')));
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
        ['rest', 2],
      ],
    );
  });

  it('has no lane without tests', () => {
    assert.deepEqual(planTests(['test/support/nothing-*.test.ts']).lanes, []);
  });
});

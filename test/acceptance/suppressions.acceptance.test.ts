/** bin/postern suppression against the running stack: the worker reads what the command uploads. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDomain } from '../support/domains.ts';
import { postSend } from '../support/mail.ts';
import { runPostern } from '../support/postern.ts';
import { readStack, type Stack } from '../support/stack.ts';

const BLOCKED = { errors: { to: ['contains a blocked address'] } };

describe('bin/postern suppression', () => {
  let stack: Stack;
  let directory: string;
  let sender: { domain: string; token: string };
  before(async () => {
    stack = readStack();
    directory = mkdtempSync(join(tmpdir(), 'postern-csv-'));
    sender = await createDomain(stack, `lists-${Date.now()}.test`);
  });
  after(() => rmSync(directory, { recursive: true }));

  const sendTo = async (to: string) =>
    (await postSend(stack, { from: `s@${sender.domain}`, to, textbody: 'x' }, sender.token)).body;

  function writeList(...lines: string[]): string {
    const file = join(directory, 'list.csv');
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  }

  it('adds, lists and removes an entry', async () => {
    const names = ['--domain', sender.domain];
    await suppression('add', 'one@example.test', ...names, '--note', 'by telephone');
    assert.match(
      (await suppression('list', ...names)).stdout,
      /block +one@example\.test .* manual .*by telephone/,
    );
    assert.deepEqual(await sendTo('one@example.test'), BLOCKED);
    assert.match((await suppression('remove', 'one@example.test', ...names)).stdout, /^1 removed\.$/m);
    assert.match((await suppression('list', ...names)).stdout, /No entries/);
    assert.equal((await suppression('remove', 'one@example.test', ...names)).code, 1);
  });

  it('imports a list, says which lines it refused, and exports it', async () => {
    const names = ['--domain', sender.domain];
    const file = writeList('address,note', 'two@example.test,=1+1', 'nobody,', 'three@example.test,');
    const first = await suppression('import', file, ...names);
    assert.equal(first.code, 1);
    assert.match(first.stdout, /finished: 3 lines read: 2 added, 0 changed, 1 refused\./);
    assert.match(first.stdout, /^3 +address +is invalid$/m);
    assert.deepEqual(await sendTo('three@example.test'), BLOCKED);

    const output = join(directory, 'out.csv');
    assert.equal((await suppression('export', ...names, '--output', output)).code, 0);
    const exported = readFileSync(output, 'utf8');
    assert.match(
      exported,
      new RegExp(`^two@example\\.test,block,${sender.domain},all,imported,'=1\\+1,`, 'm'),
    );
    assert.equal(existsSync(`${output}.part`), false);

    const second = await suppression('import', output);
    assert.deepEqual([second.code, /0 added, 0 changed, 0 refused/.test(second.stdout)], [0, true]);
    assert.equal((await suppression('export', ...names)).stdout, exported);
  });

  it('says what is wrong with a file that it cannot read', async () => {
    const { code, stderr } = await suppression('import', join(directory, 'none.csv'));
    assert.equal(code, 1);
    assert.match(stderr, /none\.csv cannot be read: ENOENT/);
  });
});

const suppression = (...parameters: string[]) => runPostern('suppression', ...parameters);

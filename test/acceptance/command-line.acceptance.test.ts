/** bin/postern against the running stack, with the tokens that the installation keeps. */
import assert from 'node:assert/strict';
import { newRecipient, waitForStatus } from '../support/mail.ts';
import { postern, posternJson } from '../support/postern.ts';
import { readStack } from '../support/stack.ts';

describe('bin/postern', () => {
  it('sends, and shows the timeline of what it sent', async () => {
    const stack = readStack();
    const recipient = newRecipient();
    const { id } = await posternJson<{ id: number }>(
      ...['send', '--from', `cli@${stack.domain}`, '--to', recipient, '--text', 'Hi'],
    );
    await waitForStatus(stack, id, 'delivered');

    const shown = await postern('message', 'show', String(id));
    assert.match(shown, new RegExp(`^Message ${id}: delivered$`, 'm'));
    assert.match(shown, /^ {2}\S+Z {2}accepted$/m);
    assert.match(shown, /^ {2}\S+Z {2}delivered .*by mx\..* 250 2\./m);
  });

  it('adds a domain and makes a token that may ask about it', async () => {
    const name = `cli-${Date.now()}.test`;
    const added = await posternJson<{ records: { name: string }[] }>('domain', 'add', name);
    assert.match(added.records[0]?.name ?? '', new RegExp(`\\._domainkey\\.${name}$`));

    const created = await posternJson<{ token: string }>('token', 'create', '--domain', name);
    await assert.rejects(postern('message', 'show', '1', '--token', created.token), /postern: .*not found/i);
  });

  it('manages organizations as an operator, and replaces the keys of secrets while mail flows', async () => {
    const made = await posternJson<{ id: number }>('organization', 'create', 'Acceptance');
    assert.match(await postern('organization', 'suspend', String(made.id)), /Acceptance +suspended/);
    assert.match(await postern('audit'), /operator demo .* organization\.suspended +Acceptance/);

    const columns = await posternJson<{ column: string; unreadable: number[] }[]>('secrets', 'rotate');
    assert.equal(columns.length >= 4, true);
    for (const { column, unreadable } of columns) assert.deepEqual(unreadable, [], column);
  });

  it('says that everything is up', async () => {
    const { processes, queue } = await posternJson<{
      processes: { name: string; status: string }[];
      queue: Record<string, number>;
    }>('status');
    assert.deepEqual(
      // rspamd is there where Debian's package could be installed.
      processes.map(({ name, status }) => `${name} ${status}`).filter((line) => line !== 'rspamd up'),
      ['api up', 'worker up', 'gateway up', 'mta up', 'inbound up', 'sandbox up'],
    );
    assert.equal(typeof queue.due, 'number');
  });
});

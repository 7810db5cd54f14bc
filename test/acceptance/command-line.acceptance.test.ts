/** bin/postern against the running stack, with the tokens that the installation keeps. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { newRecipient, waitForStatus } from '../support/mail.ts';
import { readStack } from '../support/stack.ts';

describe('bin/postern', () => {
  it('sends, and shows the timeline of what it sent', async () => {
    const stack = readStack();
    const recipient = newRecipient();
    const sent = await postern(
      '--json',
      'send',
      '--from',
      `cli@${stack.domain}`,
      '--to',
      recipient,
      '--text',
      'Hi',
    );
    const { id } = JSON.parse(sent) as { id: number };
    await waitForStatus(stack, id, 'delivered');

    const shown = await postern('message', 'show', String(id));
    assert.match(shown, new RegExp(`^Message ${id}: delivered$`, 'm'));
    assert.match(shown, /^ {2}\S+Z {2}accepted$/m);
    assert.match(shown, /^ {2}\S+Z {2}delivered .*by mx\..* 250 2\./m);
  });

  it('adds a domain and makes a token that may ask about it', async () => {
    const name = `cli-${Date.now()}.test`;
    const added = JSON.parse(await postern('--json', 'domain', 'add', name)) as {
      records: { name: string }[];
    };
    assert.match(added.records[0]?.name ?? '', new RegExp(`\\._domainkey\\.${name}$`));

    const created = JSON.parse(await postern('--json', 'token', 'create', '--domain', name)) as {
      token: string;
    };
    await assert.rejects(postern('message', 'show', '1', '--token', created.token), /postern: .*not found/i);
  });

  it('manages organizations as an operator, and replaces the keys of secrets while mail flows', async () => {
    const made = JSON.parse(await postern('--json', 'organization', 'create', 'Acceptance')) as {
      id: number;
    };
    assert.match(await postern('organization', 'suspend', String(made.id)), /Acceptance +suspended/);
    assert.match(await postern('audit'), /operator demo .* organization\.suspended +Acceptance/);

    const columns = JSON.parse(await postern('--json', 'secrets', 'rotate')) as {
      column: string;
      unreadable: number[];
    }[];
    assert.equal(columns.length >= 4, true);
    for (const { column, unreadable } of columns) assert.deepEqual(unreadable, [], column);
  });

  it('says that everything is up', async () => {
    const { processes, queue } = JSON.parse(await postern('--json', 'status')) as {
      processes: { name: string; status: string }[];
      queue: Record<string, number>;
    };
    assert.deepEqual(
      // rspamd is there where Debian's package could be installed.
      processes.map(({ name, status }) => `${name} ${status}`).filter((line) => line !== 'rspamd up'),
      ['api up', 'worker up', 'gateway up', 'mta up', 'inbound up', 'sandbox up'],
    );
    assert.equal(typeof queue.due, 'number');
  });
});

/** @returns stdout; rejects with what it wrote to stderr when it exits with another code than 0 */
async function postern(...parameters: string[]): Promise<string> {
  return (await promisify(execFile)('bin/postern', parameters)).stdout;
}

/** Sending pools on the running stack: an operator makes one, a site blocks an address of it. */
import assert from 'node:assert/strict';
import { eventsOf, newRecipient, send, waitForReceived, waitForStatus } from '../support/mail.ts';
import { postern, posternJson, runPostern } from '../support/postern.ts';
import { startProcess, stopProcess } from '../support/processes.ts';
import { readStack, type Stack } from '../support/stack.ts';

const ONE = '127.0.0.21';
const OTHER = '127.0.0.22';
/** So many that all of them choose the same address once in ten thousand runs. */
const MESSAGES = 16;

describe('sending pools', () => {
  let stack: Stack;
  const pool = `pool-${process.pid}`;
  const site = `blocking-${process.pid}.test`;

  before(async () => {
    stack = readStack();
    await postern('pool', 'create', pool);
    for (const address of [ONE, OTHER]) await postern('pool', 'add', pool, address, `out.${pool}.test`);
    await postern('pool', 'assign', pool, '--domain', stack.domain);
  });
  after(() => postern('pool', 'delete', pool));

  /** Who brought the mail to the sandbox. */
  async function clientOf(recipient: string): Promise<{ address: string; helo: string }> {
    const { id } = await waitForReceived(stack, recipient);
    const response = await fetch(`${stack.sandbox.http}/messages/${id}`);
    return ((await response.json()) as { client: { address: string; helo: string } }).client;
  }

  /** Of each message, in order: `type address`, of what was attempted. */
  async function deliver(domain: string): Promise<string[]> {
    const recipients = Array.from({ length: MESSAGES }, () => newRecipient(`blocks-${ONE}`, domain));
    const ids = await Promise.all(recipients.map((to) => send(stack, { to })));
    return Promise.all(
      ids.map(async (id, index) => {
        const message = await waitForStatus(stack, id, 'delivered');
        assert.equal((await clientOf(recipients[index] ?? '')).address, OTHER);
        const attempts = eventsOf(message).filter(({ data }) => data.local_address);
        return attempts.map(({ event, data }) => `${event} ${String(data.local_address)}`).join(', ');
      }),
    );
  }

  it('5.3: a site that blocks one address gets all mail from the other, also after everything has restarted', async () => {
    const first = await deliver(site);
    assert.deepEqual([...new Set(first)].toSorted(), [
      `deferred ${ONE}, delivered ${OTHER}`,
      `delivered ${OTHER}`,
    ]);
    const blocks = await posternJson<{ address: string; site: string }[]>('ips', 'blocks');
    assert.equal(blocks.find((block) => block.site === site)?.address, ONE);

    for (const name of ['mta', 'api', 'redis']) await stopProcess(name);
    for (const name of ['redis', 'api', 'mta']) await startProcess(name, { waitsForHealth: name === 'mta' });
    assert.deepEqual([...new Set(await deliver(site))], [`delivered ${OTHER}`]);

    await postern('ips', 'unblock', ONE, site);
    assert.ok((await deliver(site)).includes(`deferred ${ONE}, delivered ${OTHER}`));
  });

  it('other sites are not affected, and an operator sees the health of each address', async () => {
    const recipients = Array.from({ length: MESSAGES }, () =>
      newRecipient('deliver', `open-${process.pid}.test`),
    );
    for (const to of recipients) await send(stack, { to });
    const clients = await Promise.all(recipients.map(clientOf));
    assert.deepEqual([...new Set(clients.map(({ address }) => address))].toSorted(), [ONE, OTHER]);
    assert.deepEqual([...new Set(clients.map(({ helo }) => helo))], [`out.${pool}.test`]);

    // The exit code says that an address is not healthy; what was found is printed all the same.
    const { stdout } = await runPostern('ips', 'check', '--json');
    const addresses = JSON.parse(stdout) as {
      address: string;
      findings: Record<string, { status: string }>;
    }[];
    const found = addresses.find(({ address }) => address === ONE)?.findings;
    assert.equal(found?.port?.status, 'ok');
    assert.equal(found?.['blocklist zen.spamhaus.org']?.status, 'ok');
    assert.equal(found?.helo?.status, 'wrong'); // every name of the sandbox leads to 127.0.0.1
  });
});

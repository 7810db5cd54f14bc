/** What the dashboard and the alert rules name is there, in a scrape of every process of the running system. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { listHealthEndpoints } from '../../deploy/local/health.ts';
import { newRecipient, send, waitForStatus } from '../support/mail.ts';
import { dashboardFile, namesIn, rulesFile } from '../support/monitoring-files.ts';
import { stackSettings } from '../support/processes.ts';
import { readStack } from '../support/stack.ts';

describe('metrics of the running system', () => {
  let scrapes: Map<string, string>;
  before(async () => {
    const stack = readStack();
    const id = await send(stack, { to: newRecipient() });
    await waitForStatus(stack, id, 'delivered');
    const endpoints = listHealthEndpoints(stackSettings()).filter(
      ({ name }) => !['sandbox', 'rspamd'].includes(name),
    );
    scrapes = new Map(
      await Promise.all(
        endpoints.map(async ({ name, url }) => {
          const response = await fetch(url.replace('/health', '/metrics'));
          return [name, await response.text()] as const;
        }),
      ),
    );
  });

  it('has every metric of the dashboard and the rules', () => {
    const all = [...scrapes.values()].join('\n');
    const present = new Set(all.match(/(?<=^# TYPE )\S+/gm));

    const wanted = namesIn(readFileSync(dashboardFile, 'utf8') + readFileSync(rulesFile, 'utf8'));

    assert.ok(wanted.length > 30, `${wanted.length}`);
    assert.deepEqual(
      wanted.filter((name) => !present.has(name)),
      [],
    );
  });

  it('shows how busy the event loop of each process is', () => {
    for (const [name, text] of scrapes) assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m, name);
  });

  it('counts an attempt by zone, site and organization, and what the senders asked the cache', () => {
    const mta = scrapes.get('mta') ?? '';

    assert.match(mta, /^postern_attempts_total\{type="delivered",zone="default"\} [1-9]/m);
    assert.match(mta, /^postern_site_attempts_total\{type="delivered",site="[^"]+"\} [1-9]/m);
    assert.match(mta, /^postern_organization_attempts_total\{type="delivered",organization="\d+"\} [1-9]/m);
    assert.match(mta, /^postern_rpc_lookups_total\{contract="findDkimKeys",outcome="\w+"\} [1-9]/m);
  });

  it('shows no secret', () => {
    const stack = readStack();
    for (const text of scrapes.values())
      for (const secret of [stack.token, stack.organizationToken]) assert.ok(!text.includes(secret));
  });
});

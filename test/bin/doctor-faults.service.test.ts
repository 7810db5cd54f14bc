/** Ten faults, each made for real, and what the doctor says of each. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTransaction } from '../../api/database.ts';
import { addAddress, createPool } from '../../api/models/sending-pool.ts';
import { askRedis, explain } from '../../bin/commands/doctor.ts';
import { examine, type Facts } from '../../bin/doctor/examine.ts';
import type { Finding } from '../../bin/doctor/finding.ts';
import { checkCertificates, checkClock, checkDisks } from '../../bin/doctor/host.ts';
import {
  checkAddresses,
  checkDkimRecords,
  checkPort25,
  checkServiceToken,
} from '../../bin/doctor/outside.ts';
import { readDiagnosis, readSummary } from '../../mta/control/summary.ts';
import { readOldestDue } from '../../mta/queue/oldest-due.ts';
import { startTestApi, type Tenant, type TestApi } from '../api/support.ts';
import { issueCertificate } from '../support/certificates.ts';
import { startTestDns, type TestDns } from '../support/dns.ts';
import { findFreePorts } from '../support/free-ports.ts';
import { startOwnRedis } from '../support/own-redis.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { createQueueDatabase, queueMessage } from '../support/queue.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const ADDRESS = '127.0.0.1';

describe('doctor: ten faults', () => {
  let api: TestApi;
  let tenant: Tenant;
  let dns: TestDns;
  let queue: TestDatabase;
  let directory: string;

  before(async () => {
    [api, dns, queue] = await Promise.all([
      startTestApi('doctor'),
      startTestDns(),
      createQueueDatabase('doctor'),
    ]);
    tenant = await api.createTenant();
    directory = mkdtempSync(join(tmpdir(), 'postern-doctor-'));
    const pool = await inTransaction(api.store, (tx) => createPool(tx, 'main'));
    if (!pool.ok) throw new Error(pool.reason);
    await inTransaction(api.store, (tx) =>
      addAddress(tx, pool.value.id, { address: ADDRESS, helo: 'mx.postern.test' }),
    );
    await api.app.listen({ host: '127.0.0.1', port: 0 });
  });
  after(async () => {
    await Promise.all([api.close(), dns.close(), queue.drop()]);
    rmSync(directory, { recursive: true });
  });

  it('1 wrong DKIM record', async () => {
    const { rows } = await api.store.pool.query('select selector, record from dkim_keys');
    const name = `${rows[0].selector}._domainkey.${tenant.domain}`;
    const check = () => checkDkimRecords(api.store.pool, [`127.0.0.1:${dns.port}`]);
    dns.set(name, { type: 'TXT', text: rows[0].record });
    well(await check());

    dns.set(name, { type: 'TXT', text: 'v=DKIM1; k=rsa; p=AAAA' });

    wrong(
      await check(),
      /holds another key/,
      new RegExp(`Publish the TXT record at ${name} with exactly this value`),
    );
  });

  it('2 expired certificate', async () => {
    const use = async (days: number) => {
      const { cert, key } = await issueCertificate('postern.test', days);
      writeFileSync(join(directory, 'cert.pem'), cert);
      writeFileSync(join(directory, 'key.pem'), key);
      const files = {
        certificateFile: join(directory, 'cert.pem'),
        privateKeyFile: join(directory, 'key.pem'),
      };
      const [gateway] = await checkCertificates({
        ...api.settings,
        gateway: { ...api.settings.gateway, ...files },
      });
      return gateway;
    };
    well(await use(30));

    wrong(await use(-1), /CN=postern.test ended at/, /Renew it, into the files that the settings name/);
    wrong(await use(3), /It ends in 3 d/, /without a restart/);
  });

  it('3 full disk', async function () {
    const mounted = mountSmallDisk();
    if (!mounted.ok) {
      console.log(`      skipped: ${mounted.reason}`);
      this.skip();
    }
    try {
      well(checkDisks([mounted.disk.directory]));

      mounted.disk.fill();

      wrong(checkDisks([mounted.disk.directory]), /has 0\.0 GB left/, /Make room or enlarge it/);
    } finally {
      mounted.disk.unmount();
    }
  });

  it('4 stopped Redis', async () => {
    const redis = await startOwnRedis();
    const look = async () => {
      const servers = new Map([await explain('redis', () => askRedis(redis.url))]);
      return examine(await facts({ servers })).find(({ check }) => check === 'redis');
    };
    well(await look());

    await redis.stop();

    wrong(await look(), /does not answer/, /Start it, or correct its address/);
  });

  it('5 clock off', async () => {
    const server = await startTimeServer();
    const check = () => checkClock({ host: '127.0.0.1', port: server.port });
    well(await check());

    server.offsetSeconds = 90;

    wrong(await check(), /It is \d\d\.\d s behind/, /chrony or systemd-timesyncd/);
    server.close();
    wrong(await check(), /does not answer/, /UDP 123/);
  });

  it('6 stuck zone', async () => {
    await queueMessage(queue, { zone: 'default' });
    const look = async () => examine(await facts({})).find(({ check }) => check === 'zones');
    well(await look());

    await queue.pool.query("update deliveries set due_at = now() - interval '1 hour'");

    wrong(await look(), /default \(1 due, the oldest for 60 min\)/, /queue\.stalled in the log/);
    await queue.pool.query('delete from deliveries');
  });

  it('7 revoked service token', async () => {
    const url = api.app.listeningOrigin;
    const settings = { ...api.settings, api: { ...api.settings.api, url } };
    well(await checkServiceToken(settings));

    const secrets = { ...settings.secrets, serviceToken: 'x'.repeat(32) };

    wrong(
      await checkServiceToken({ ...settings, secrets }),
      /does not take the service token/,
      /POSTERN_SERVICE_TOKEN of the api, and restart/,
    );
  });

  it('8 closed port 25', async () => {
    const mx = createServer((socket) => socket.end('220 mx.test ESMTP\r\n'));
    mx.listen(0, '127.0.0.1');
    await once(mx, 'listening');
    const { port } = mx.address() as { port: number };
    well(await checkPort25({ host: '127.0.0.1', port }));

    mx.close();

    wrong(
      await checkPort25({ host: '127.0.0.1', port }),
      /cannot be reached \(ECONNREFUSED\)/,
      /outgoing port 25/,
    );
  });

  it('9 missing PTR', async () => {
    const [port = 0] = await findFreePorts(1);
    const options = {
      ...{ nameservers: [`127.0.0.1:${dns.port}`], blocklists: [], probe: { host: '127.0.0.1', port } },
    };
    const look = async () =>
      (await checkAddresses(api.store.pool, options)).find(({ check }) => check === `${ADDRESS} reverse_dns`);
    dns.set('1.0.0.127.in-addr.arpa', { type: 'PTR', domain: 'mx.postern.test' });
    dns.set('mx.postern.test', { type: 'A', address: ADDRESS });
    assert.equal(await look(), undefined);

    dns.set('1.0.0.127.in-addr.arpa');

    wrong(await look(), /there is no PTR record/, /Ask who gave you the address to set its PTR record/);
  });

  it('10 unshipped outbox', async () => {
    const look = async () => examine(await facts({})).find(({ check }) => check === 'outbox');
    well(await look());

    await queue.pool.query(
      "insert into delivery_events (id, event, created_at) values (gen_random_uuid(), '{}', now() - interval '1 hour')",
    );

    wrong(await look(), /1 events wait, the oldest for 60 min/, /The api does not take them/);
  });

  /** What the mta answers of this queue. */
  async function facts(changes: Partial<Facts>): Promise<Facts> {
    const oldest = await readOldestDue(queue.pool, { siteOf: () => undefined });
    return {
      processes: new Map(),
      servers: new Map(),
      diagnosis: await readDiagnosis(queue.pool, oldest),
      zones: (await readSummary(queue.pool)).zone,
      ...changes,
    };
  }
});

function well(finding: Finding | undefined): void {
  assert.ok(finding?.isWell, finding?.detail);
}

function wrong(finding: Finding | undefined, detail: RegExp, remedy: RegExp): void {
  assert.equal(finding?.isWell, false);
  assert.match(finding?.detail ?? '', detail);
  assert.match(finding?.remedy ?? '', remedy);
}

/** Answers as RFC 4330 says, with a clock of its own. */
async function startTimeServer() {
  const socket = createSocket('udp4');
  const server = { port: 0, offsetSeconds: 0, close: () => socket.close() };
  socket.on('message', (_packet, { port, address }) => {
    const answer = Buffer.alloc(48);
    answer.writeUInt8(0x24, 0);
    answer.writeUInt8(2, 1);
    const now = Date.now() / 1000 + server.offsetSeconds + 2_208_988_800;
    for (const at of [32, 40]) {
      answer.writeUInt32BE(Math.floor(now), at);
      answer.writeUInt32BE(Math.floor((now % 1) * 2 ** 32), at + 4);
    }
    socket.send(answer, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  server.port = socket.address().port;
  return server;
}

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { inTransaction } from '../../../api/database.ts';
import { acceptMessage } from '../../../api/models/message.ts';
import type { Settings } from '../../../config/schema.ts';
import { openFile, readArchive, readEntry } from '../../../deploy/backup/archive.ts';
import { connect } from '../../../deploy/backup/catalog.ts';
import { createBackup } from '../../../deploy/backup/create.ts';
import { findBackup, listBackups } from '../../../deploy/backup/find.ts';
import { createDecrypter } from '../../../deploy/backup/keys.ts';
import { RestoreRefusal } from '../../../deploy/backup/load.ts';
import { restoreBackup } from '../../../deploy/backup/restore.ts';
import { verifyBackup } from '../../../deploy/backup/verify.ts';
import { shortDigest } from '../../../deploy/local/installation.ts';
import { newMessage, startTestApi, type Tenant, type TestApi } from '../../api/support.ts';
import { type ObjectStorage, passOn, startObjectStorage } from '../../support/object-storage.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { startProgram } from '../../support/program.ts';
import { createQueueDatabase, queueMessage } from '../../support/queue.ts';

const options = { keepsIdsApart: true, pausesQueue: false };
/** What COPY has to write in another way: its own signs, line ends, zero bytes in a body, what UTF-8 has beyond a byte. */
const AWKWARD = 'tab\t back\\slash \\N \r\n\x00\xff é';

describe('deploy/backup', () => {
  let api: TestApi;
  let tenant: Tenant;
  let queue: TestDatabase;
  let storage: ObjectStorage;
  let directory: string;
  let settings: Settings;

  before(async () => {
    [api, queue, storage] = await Promise.all([
      startTestApi('backup'),
      createQueueDatabase('backup'),
      startObjectStorage(),
    ]);
    directory = mkdtempSync(join(tmpdir(), 'postern-backup-'));
    tenant = await api.createTenant();
    await inTransaction(api.store, (tx) =>
      acceptMessage(tx, newMessage(tenant, AWKWARD, { subject: 'ü\\N\t' })),
    );
    await api.store.pool.query(
      "select create_message_partition(900000000, 901000000), setval('messages_id_seq', 900000000)",
    );
    await inTransaction(api.store, (tx) =>
      acceptMessage(tx, newMessage(tenant, 'in a partition of its own')),
    );
    await queueMessage(queue, { body: Buffer.from(AWKWARD, 'latin1') });
    settings = {
      ...api.settings,
      directory,
      queue: { ...api.settings.queue, url: queue.url },
      backup: { ...api.settings.backup, endpoint: storage.endpoint },
      secrets: {
        ...api.settings.secrets,
        backupAccessKeyId: storage.secrets.storageAccessKeyId,
        backupSecretKey: storage.secrets.storageSecretKey,
      },
    };
  });
  after(async () => {
    await api.close();
    await queue.drop();
    await storage.close();
    rmSync(directory, { recursive: true });
  });
  afterEach(() => {
    storage.intercept = passOn;
  });

  it('holds every table of both databases, and restores each to the byte', async () => {
    const made = await createBackup(settings, new Date('2026-01-01T02:07:00Z'));

    assert.deepEqual(await storage.listKeys(), [made.name]);
    const result = await verifyBackup(await open(made.name), settings);
    assert.deepEqual(result.differing, []);
    assert.ok(result.rows >= 15, `${result.rows} rows`);
    const { rows } = await api.store.pool.query(
      `select count(*)::int as tables from pg_tables where schemaname = 'public' and not exists
              (select from pg_inherits where inhrelid = format('%I', tablename)::regclass)`,
    );
    const queueTables = await queue.pool.query(`select from pg_tables where schemaname = 'public'`);
    // Without schema_migrations of both, message_partitions and queue_identity; with pg-boss's jobs.
    assert.equal(result.tables, rows[0].tables + (queueTables.rowCount ?? 0) - 4 + 1);
    const left = await api.store.pool.query("select from pg_database where datname like 'postern_verify_%'");
    assert.equal(left.rowCount, 0);
  });

  it('is verified by one at a time, and after one that was killed', async () => {
    const { name } = await createBackup(settings, new Date('2026-01-02T02:07:00Z'));
    const own = await connect(api.settings.database.url);
    try {
      const { rows } = await own.query('select current_database() as name');
      await own.query(`create database postern_verify_app_${shortDigest(rows[0].name)}`);
      await own.query('select pg_advisory_lock(4711002)');
      await assert.rejects(
        open(name).then((source) => verifyBackup(source, settings)),
        /another verification is under way/,
      );
      await own.query('select pg_advisory_unlock(4711002)');

      assert.deepEqual((await verifyBackup(await open(name), settings)).differing, []);
    } finally {
      await own.end();
    }
  });

  it('opens with the master key and with the key of a recipient, and with no other', async () => {
    const identity = await generateX25519Identity();
    const recipients = [await identityToRecipient(identity)];
    const withRecipient = { ...settings, backup: { ...settings.backup, recipients } };
    const { name } = await createBackup(withRecipient, new Date('2026-01-03T02:07:00Z'));
    const key = new Decrypter();
    key.addIdentity(identity);

    for await (const entry of readArchive(await open(name), key)) {
      const text = await readEntry(entry);
      if (entry.name === 'head.json') assert.equal(JSON.parse(text).format, 1);
    }
    const other = { secrets: { ...settings.secrets, key: randomBytes(32).toString('base64') } };
    await assert.rejects(readAll(await open(name), await createDecrypter(other)), /no identity matched/i);
    const rotated = { secrets: { ...settings.secrets, key: `${other.secrets.key},${settings.secrets.key}` } };
    await readAll(await open(name), await createDecrypter(rotated));
  });

  it('takes nothing from a file that was cut short or changed, and then the whole one', async () => {
    const { name } = await createBackup(settings, new Date('2026-01-04T02:07:00Z'));
    const whole = readFileSync(join(directory, 'backups', name));
    const cut = join(directory, 'cut');
    writeFileSync(cut, whole.subarray(0, -1));
    const changed = join(directory, 'changed');
    writeFileSync(changed, whole.with(whole.length - 40, (whole.at(-40) ?? 0) ^ 1));
    const [app, fresh] = [
      await createTestDatabase('restored_app'),
      await createTestDatabase('restored_queue'),
    ];
    try {
      const restore = (source: Readable) =>
        restoreBackup(source, settings, { app: app.url, queue: fresh.url }, options);
      for (const path of [cut, changed]) await assert.rejects(openFile(path).then(restore));

      await restore(await open(name));

      assert.equal((await fresh.pool.query('select from deliveries')).rowCount, 1);
      // What came after the backup is lost, and others know its ids.
      const { rows } = await app.pool.query("select nextval('messages_id_seq') as id");
      assert.ok(Number(rows[0].id) > 1_000_000_000);
      await assert.rejects(
        open(name).then(restore),
        (error: Error) =>
          error instanceof RestoreRefusal && /is not empty: public\.\w+ has rows/.test(error.message),
      );
    } finally {
      await app.drop();
      await fresh.drop();
    }
  });

  it('leaves nothing that looks like a backup when it is killed on the way', async () => {
    const own = mkdtempSync(join(tmpdir(), 'postern-backup-'));
    // It waits for a table, when the file has been begun.
    const locker = await connect(api.settings.database.url);
    await locker.query('begin; lock table webhook_keys in access exclusive mode');
    try {
      const child = startProgram('deploy/backup/run.ts', ['create'], {
        ...settings,
        directory: own,
        backup: { ...settings.backup, endpoint: '' },
      });
      await child.waitFor(
        () => existsSync(join(own, 'backups')) && readdirSync(join(own, 'backups')).length > 0,
      );
      child.kill('SIGKILL');
      await child.exited;
    } finally {
      await locker.end();
    }

    const files = readdirSync(join(own, 'backups'));
    assert.match(files.join(), /^postern-\d+T\d+Z\.tar\.zst\.age\.partial$/);
    assert.deepEqual(
      await listBackups({ ...settings, directory: own, backup: { ...settings.backup, endpoint: '' } }),
      [],
    );
    rmSync(own, { recursive: true });
  });

  it('shows no object in the bucket while its upload fails, and keeps the file', async () => {
    const before = await storage.listKeys();
    storage.intercept = (request, response) => {
      if (request.method !== 'PUT') return false;
      response.writeHead(400).end();
      return true;
    };

    await assert.rejects(createBackup(settings, new Date('2026-01-05T02:07:00Z')));

    assert.deepEqual(await storage.listKeys(), before);
    assert.equal((await findBackup(settings, 'latest'))?.name, 'postern-20260105T020700Z.tar.zst.age');
  });

  it('prunes both places, and says what went', async () => {
    const keeping = { keepDaily: 2, keepWeekly: 0, keepMonthly: 0 };
    const pruning = { ...settings, backup: { ...settings.backup, ...keeping } };

    const { removed } = await createBackup(pruning, new Date('2026-01-06T02:07:00Z'));

    assert.ok(removed.some((path) => path.startsWith(storage.endpoint)));
    assert.deepEqual(
      (await listBackups(pruning)).map(({ name, places }) => [name.slice(8, 16), places.length]),
      [
        ['20260104', 1], // the day that the bucket has in place of the fifth
        ['20260105', 1],
        ['20260106', 2],
      ],
    );
  });

  it('is refused by a release that does not know its migrations', async () => {
    await api.store.pool.query("insert into schema_migrations (name) values ('9999_of_tomorrow.sql')");
    const { name } = await createBackup(settings, new Date('2026-01-07T02:07:00Z'));
    await api.store.pool.query("delete from schema_migrations where name like '9999%'");

    const nowhere = { app: 'postgres://127.0.0.1:1/none', queue: 'postgres://127.0.0.1:1/none' };
    await assert.rejects(
      open(name).then((source) => restoreBackup(source, settings, nowhere, options)),
      /newer release \(\d+\.\d+\.\d+\), with the migration 9999_of_tomorrow/,
    );
  });

  async function open(name: string) {
    const found = await findBackup(settings, name);
    if (!found) throw new Error(`there is no ${name}`);
    return found.open();
  }
});

async function readAll(...[source, decrypter]: Parameters<typeof readArchive>): Promise<void> {
  for await (const entry of readArchive(source, decrypter)) await readEntry(entry);
}

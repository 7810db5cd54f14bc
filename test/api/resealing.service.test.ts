import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { inTransaction } from '../../api/database.ts';
import { addNextDkimKey, findSigningKeys } from '../../api/models/dkim-key.ts';
import { generateDkimKeyPair } from '../../api/models/dkim-key-pair.ts';
import { resealColumn } from '../../api/models/sealed.ts';
import { sealedColumns } from '../../api/models/sealed-columns.ts';
import { createWebhook, rotateWebhookSecret, unsealSecret } from '../../api/models/webhook.ts';
import { findPrivateWebhookKeys, rotateWebhookKey } from '../../api/models/webhook-key.ts';
import { startTestApi, type Tenant, type TestApi } from './support.ts';

const DAY_SECONDS = 86_400;

describe('secrets sealed anew', () => {
  let api: TestApi;
  let tenant: Tenant;
  let oldKey = '';
  const newKey = randomBytes(32).toString('base64');

  before(async () => {
    api = await startTestApi('resealing');
    oldKey = api.settings.secrets.key;
    tenant = await api.createTenant();
    const { domainId: id, domain: name } = tenant;
    const keyPair = await generateDkimKeyPair();
    await inTransaction(api.store, async (tx) => {
      await addNextDkimKey(tx, { id, name }, keyPair, oldKey);
      await rotateWebhookKey(tx, id, DAY_SECONDS, oldKey);
      const made = await createWebhook(
        tx,
        id,
        { url: 'https://hooks.example.com/', events: ['email.queued'], description: '', notify: null },
        { maxCount: 20, masterKey: oldKey },
      );
      assert.ok(made);
      await rotateWebhookSecret(tx, { id: made.webhook.id, domainId: id }, DAY_SECONDS, oldKey);
    });
  });
  after(() => api.close());

  async function reseal(masterKey: string) {
    const results = [];
    for (const column of sealedColumns) results.push(await resealColumn(api.store, column, masterKey));
    return results;
  }

  /** Everything that was sealed, opened with this key; throws where it does not open. */
  async function openAll(masterKey: string) {
    const { rows } = await api.store.pool.query<{ secret: Buffer; old: Buffer }>(
      'select secret_sealed as secret, old_secret_sealed as old from webhooks',
    );
    return {
      dkim: await findSigningKeys(api.store.pool, tenant.domain, masterKey),
      keys: (await findPrivateWebhookKeys(api.store.pool, [tenant.domainId], masterKey)).map(
        ({ privateKey }) => privateKey,
      ),
      secrets: rows.flatMap(({ secret, old }) =>
        [secret, old].map((sealed) => unsealSecret(sealed, tenant.domainId, masterKey)),
      ),
    };
  }

  it('covers every sealed column that the database has', async () => {
    const { rows } = await api.store.pool.query<{ column: string }>(
      `select table_name || '.' || column_name as column
         from information_schema.columns
        where table_schema = 'public' and column_name like '%sealed'
        order by 1`,
    );
    assert.deepEqual(
      sealedColumns.map(({ table, column }) => `${table}.${column}`).sort(),
      rows.map(({ column }) => column),
    );
  });

  it('opens with both keys meanwhile, with the new one alone afterwards, and means the same', async () => {
    const sealed = await openAll(oldKey);
    assert.equal(sealed.keys.length, 2);
    assert.deepEqual(await openAll(`${newKey},${oldKey}`), sealed);
    await assert.rejects(openAll(newKey), /sealed by another secrets.key/);

    assert.deepEqual(await reseal(`${newKey},${oldKey}`), [
      { column: 'dkim_keys.private_key_sealed', resealed: 3, unchanged: 0, unreadable: [] },
      { column: 'webhook_keys.private_key_sealed', resealed: 2, unchanged: 0, unreadable: [] },
      { column: 'webhooks.secret_sealed', resealed: 1, unchanged: 0, unreadable: [] },
      { column: 'webhooks.old_secret_sealed', resealed: 1, unchanged: 0, unreadable: [] },
      { column: 'inbound_routes.basic_auth_sealed', resealed: 0, unchanged: 0, unreadable: [] },
    ]);
    assert.deepEqual(await openAll(newKey), sealed);
    await assert.rejects(openAll(oldKey), /sealed by another secrets.key/);
  });

  it('does nothing the second time', async () => {
    const results = await reseal(`${newKey},${oldKey}`);
    assert.deepEqual(
      results.map(({ resealed, unchanged }) => [resealed, unchanged]),
      [
        [0, 3],
        [0, 2],
        [0, 1],
        [0, 1],
        [0, 0],
      ],
    );
  });

  it('names what neither key opens, and leaves it as it is', async () => {
    const before = await openAll(newKey);
    const [dkim] = await reseal(randomBytes(32).toString('base64'));
    assert.equal(dkim?.unreadable.length, 3);
    assert.deepEqual(await openAll(newKey), before);
  });
});

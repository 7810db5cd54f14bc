import assert from 'node:assert/strict';
import type { LightMyRequestResponse } from 'fastify';
import { prepareMessage } from '../../api/mail/send.ts';
import { findDomainCredential } from '../../api/models/api-token.ts';
import { answerOnce, fingerprintOf, reapKeys } from '../../api/models/idempotency-key.ts';
import { acceptMessage } from '../../api/models/message.ts';
import { countRows, sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('Idempotency-Key', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('idempotency');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  function send(key: string, payload: object = {}, from = tenant): Promise<LightMyRequestResponse> {
    return api.app.inject(sendRequest(from, payload, { 'idempotency-key': key }));
  }

  /** How many messages came into being while `work` ran, each with its job. */
  async function countMails(work: () => Promise<void>): Promise<number> {
    const [messages, jobs] = [await countRows(api, 'messages'), await countRows(api, 'pgboss.job')];
    await work();
    assert.equal((await countRows(api, 'pgboss.job')) - jobs, (await countRows(api, 'messages')) - messages);
    return (await countRows(api, 'messages')) - messages;
  }

  it('ID-1 answers the same request again with the same status and body, marked, and sends one mail', async () => {
    const mails = await countMails(async () => {
      const first = await send('id-1');
      const second = await send('id-1');

      assert.deepEqual([first.statusCode, first.headers['idempotent-replayed']], [200, undefined]);
      assert.deepEqual([second.statusCode, second.headers['idempotent-replayed']], [200, 'true']);
      assert.equal(second.body, first.body);
    });
    assert.equal(mails, 1);
  });

  it('ID-2 refuses the key for another body, valid or not', async () => {
    await send('id-2');
    for (const payload of [{ textbody: 'Other' }, { to: 'nobody' }]) {
      const response = await send('id-2', payload);
      assert.deepEqual(
        [response.statusCode, response.json()],
        [422, { error: 'This Idempotency-Key was used for another request' }],
      );
    }
  });

  it('ID-3 of fifty at the same time sends one; the others wait and get its answer, or 409', async () => {
    const answers: LightMyRequestResponse[] = [];
    const mails = await countMails(async () => {
      answers.push(...(await Promise.all(Array.from({ length: 50 }, () => send('id-3')))));
    });

    assert.equal(mails, 1);
    const taken = answers.filter(({ statusCode }) => statusCode === 200);
    assert.equal(new Set(taken.map(({ body }) => body)).size, 1);
    assert.equal(taken.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1);
    for (const { statusCode, body } of answers) {
      if (statusCode === 200) continue;
      assert.equal(statusCode, 409);
      assert.equal(body, '{"error":"A request with this Idempotency-Key is still running"}');
    }
  });

  describe('ID-4 a crash', () => {
    async function accept(key: string, crash: () => Promise<void>) {
      const credential = await findDomainCredential(api.store.pool, { tokenId: tenant.tokenId });
      assert.ok(credential);
      const { payload } = sendRequest(tenant);
      const prepared = await prepareMessage(credential, payload, {
        limits: api.settings.limits,
        offersUnsubscribe: false,
      });
      assert.ok(prepared.ok);
      const fingerprint = fingerprintOf('POST', '/api/v1/send', JSON.stringify(payload));
      return answerOnce(api.store, { tokenId: tenant.tokenId, key, fingerprint }, async (tx) => {
        const id = await acceptMessage(tx, prepared.message);
        await crash();
        return { status: 200, body: { id, status: 'pending' } };
      });
    }

    it('after the commit and before the answer: the retry gets the answer', async () => {
      const mails = await countMails(async () => {
        const lost = await accept('id-4-after', async () => {});
        const retry = await send('id-4-after');

        assert.equal(lost.state, 'answered');
        assert.deepEqual(retry.headers['idempotent-replayed'], 'true');
        assert.deepEqual(lost.state === 'answered' && lost.answer.body, retry.json());
      });
      assert.equal(mails, 1);
    });

    it('before the commit: the retry completes', async () => {
      const mails = await countMails(async () => {
        await assert.rejects(
          accept('id-4-before', async () => {
            await api.store.pool.query(
              `select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and state = 'idle in transaction'`,
            );
          }),
        );
        const retry = await send('id-4-before');

        assert.deepEqual([retry.statusCode, retry.headers['idempotent-replayed']], [200, undefined]);
      });
      assert.equal(mails, 1);
    });
  });

  it('ID-5 does not keep a refusal: the corrected retry is taken', async () => {
    assert.equal((await send('id-5', { to: 'nobody' })).statusCode, 400);
    const corrected = await send('id-5');
    assert.deepEqual([corrected.statusCode, corrected.headers['idempotent-replayed']], [200, undefined]);
  });

  it('ID-6 keeps the keys of different tokens apart', async () => {
    const other = await api.createTenant();
    const first = await send('id-6');
    const second = await send('id-6', {}, other);
    assert.deepEqual([second.statusCode, second.headers['idempotent-replayed']], [200, undefined]);
    assert.notEqual(second.json<{ id: number }>().id, first.json<{ id: number }>().id);
  });

  it('ID-7 takes 255 characters, and refuses 256, none, and what is not printable ASCII', async () => {
    assert.equal((await send('k'.repeat(255))).statusCode, 200);
    for (const key of ['k'.repeat(256), '', 'a\tb', 'a\x7fb', 'ü']) {
      const response = await send(key);
      assert.deepEqual(
        [response.statusCode, response.json()],
        [400, { error: 'Idempotency-Key must have 1 to 255 printable ASCII characters' }],
        JSON.stringify(key),
      );
    }
  });

  it('ID-8 forgets a key after 24 hours, and removes its row', async () => {
    const first = await send('id-8');
    await send('id-8-young');
    await api.store.pool.query(
      `update idempotency_keys set created_at = now() - interval '24 hours' where key = 'id-8'`,
    );

    const later = await send('id-8', { textbody: 'Other' });
    assert.deepEqual([later.statusCode, later.headers['idempotent-replayed']], [200, undefined]);
    assert.notEqual(later.body, first.body);
    assert.equal((await send('id-8', { textbody: 'Other' })).headers['idempotent-replayed'], 'true');

    await api.store.pool.query(
      `update idempotency_keys set created_at = now() - interval '25 hours' where key = 'id-8'`,
    );
    assert.equal(await reapKeys(api.store.pool), 1);
    assert.equal((await send('id-8-young')).headers['idempotent-replayed'], 'true');
  });
});

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { inTransaction } from '../../api/database.ts';
import { addSuppression } from '../../api/models/suppression.ts';
import {
  countRows,
  sendRequest,
  startTestApi,
  submissionRequest,
  type Tenant,
  type TestApi,
} from './support.ts';

describe('createSubmission with X-Postern-Idempotency-Key', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('submissionkey');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  interface Mail {
    key: string;
    subject?: string;
    to?: string[];
    extra?: string;
  }

  /** As a mail library would write it each time: with another Message-ID, Date and boundary. */
  async function submit({ key, subject = 'Hello', to = ['b@example.com'], extra = '' }: Mail) {
    const unique = randomUUID();
    const message = [
      `From: a@${tenant.domain}`,
      `Subject: ${subject}`,
      `Message-ID: <${unique}@x>`,
      `X-Postern-Idempotency-Key: ${key}`,
      `${extra}Content-Type: multipart/mixed; boundary="${unique}"`,
      '',
      `--${unique}--`,
      '',
    ].join('\r\n');
    const response = await api.app.inject(
      submissionRequest(api, tenant, message, {
        submissionId: unique,
        envelope: { from: `a@${tenant.domain}`, to },
      }),
    );
    const body = response.json();
    return { status: response.statusCode, id: body.messageId, code: body.error?.code };
  }

  it('ID-1 takes the message once, written anew or not, and gives the same id', async () => {
    const before = await countRows(api, 'messages');
    const first = await submit({ key: 'one' });
    const second = await submit({ key: 'one' });

    assert.deepEqual([first.status, second], [200, first]);
    assert.equal(await countRows(api, 'messages'), before + 1);
  });

  it('removes the field', async () => {
    const { id } = await submit({ key: 'removed' });
    const { rows } = await api.store.pool.query<{ content: Buffer }>(
      'select content from message_sources where message_id = $1',
      [id],
    );
    assert.doesNotMatch(rows[0]?.content.toString() ?? '', /X-Postern/i);
  });

  it('ID-2 refuses the key for another subject, other recipients, or a request over HTTP', async () => {
    await submit({ key: 'two' });
    for (const other of [{ subject: 'Other' }, { to: ['c@example.com'] }]) {
      const { status, code } = await submit({ key: 'two', ...other });
      assert.deepEqual([status, code], [422, 'idempotency_key_used_otherwise']);
    }
    const response = await api.app.inject(sendRequest(tenant, {}, { 'idempotency-key': 'two' }));
    assert.equal(response.statusCode, 422);
  });

  it('ID-3 takes one of twenty at the same time; the others get its id, or are told to wait', async () => {
    const before = await countRows(api, 'messages');
    const answers = await Promise.all(Array.from({ length: 20 }, () => submit({ key: 'three' })));

    assert.equal(await countRows(api, 'messages'), before + 1);
    assert.equal(new Set(answers.flatMap(({ id }) => id ?? [])).size, 1);
    for (const { status, code } of answers) {
      if (status !== 200) assert.deepEqual([status, code], [422, 'idempotency_key_running']);
    }
  });

  it('ID-7 refuses a key of 256 characters, none, and two', async () => {
    assert.equal((await submit({ key: 'k'.repeat(255) })).status, 200);
    for (const mail of [
      { key: 'k'.repeat(256) },
      { key: '' },
      { key: 'a', extra: 'X-Postern-Idempotency-Key: b\r\n' },
    ]) {
      const { status, code } = await submit(mail);
      assert.deepEqual([status, code], [422, 'message_invalid']);
    }
  });

  it('refuses a message to nobody but blocked recipients, and keeps nothing of it', async () => {
    const { organizationId, domainId } = tenant;
    const row = {
      list: 'block',
      stream: 'all',
      reason: 'manual',
      note: undefined,
      expiresAt: undefined,
    } as const;
    await inTransaction(api.store, (tx) =>
      addSuppression(tx, { organizationId, domainId, address: 'gone@example.com', ...row }),
    );
    const before = await countRows(api, 'messages');
    const { status, code } = await submit({ key: 'blocked', to: ['gone@example.com'] });
    assert.deepEqual([status, code], [422, 'recipients_blocked']);
    assert.equal(await countRows(api, 'messages'), before);
    assert.equal((await submit({ key: 'blocked', to: ['gone@example.com', 'ok@example.com'] })).status, 200);
  });
});

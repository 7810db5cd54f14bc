import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { inTransaction } from '../../api/database.ts';
import { revokeToken } from '../../api/models/api-token.ts';
import { activateDkimKey, createDkimKey } from '../../api/models/dkim-key.ts';
import { generateDkimKeyPair } from '../../api/models/dkim-key-pair.ts';
import { verifyDomain } from '../../api/models/domain-lifecycle.ts';
import { resumeOrganization, suspendOrganization } from '../../api/models/organization.ts';
import { digestToken } from '../../lib/secrets.ts';
import { countRows, startTestApi, type Tenant, type TestApi } from './support.ts';

const MESSAGE =
  'From: a@DOMAIN\r\nTo: b@example.com\r\nMessage-ID: <1@x>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n.Hi\r\n';

describe('the RPC side of the api', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('rpc');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  async function call(method: 'GET' | 'POST', url: string, payload?: object) {
    const headers = { authorization: `Bearer ${api.settings.secrets.serviceToken}` };
    const response = await api.app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
    return { status: response.statusCode, body: response.json(), headers: response.headers };
  }

  const findCredential = (token: string) => call('GET', `/rpc/v1/credentials/${digestToken(token)}`);

  function submit(changes: object = {}, sender = tenant) {
    return call('POST', '/rpc/v1/submissions', {
      submissionId: randomUUID(),
      tokenId: sender.tokenId,
      envelope: { from: `a@${sender.domain}`, to: ['b@example.com'] },
      message: base64(MESSAGE, sender),
      client: { address: '192.0.2.1', helo: 'client', tls: null },
      ...changes,
    });
  }

  function base64(message: string, { domain } = tenant): string {
    return Buffer.from(message.replaceAll('DOMAIN', domain)).toString('base64');
  }

  async function storedMessage(id: number): Promise<string> {
    const { rows } = await api.store.pool.query<{ content: Buffer }>(
      'select content from message_sources where message_id = $1',
      [id],
    );
    return rows[0]?.content.toString() ?? '';
  }

  it('opens nothing without the service token', async () => {
    for (const authorization of ['', 'Bearer x', `Bearer ${api.settings.secrets.serviceToken}x`]) {
      const { statusCode } = await api.app.inject({
        url: `/rpc/v1/credentials/${digestToken(tenant.token)}`,
        headers: { authorization },
      });
      assert.equal(statusCode, 401);
    }
  });

  describe('findCredential', () => {
    it('finds who may send', async () => {
      const { tokenId, organizationId, domainId, domain } = tenant;
      assert.deepEqual((await findCredential(tenant.token)).body, {
        tokenId,
        organizationId,
        domainId,
        domain,
        refusal: null,
        allowedNetworks: [],
        expiresAt: null,
      });
    });

    it('finds nobody for an unknown, a revoked and an organization token', async () => {
      const other = await api.createTenant();
      await inTransaction(api.store, (tx) => revokeToken(tx, other, other.tokenId));
      for (const token of ['x', other.token, tenant.organizationToken]) {
        assert.equal((await findCredential(token)).status, 404);
      }
    });

    it('tells why somebody may not send now, and makes the caches forget it each time', async () => {
      const other = await api.createTenant({ isVerified: false });
      const refusal = async () => (await findCredential(other.token)).body.refusal;
      const forgotten = () =>
        api.invalidated.filter((line) => line === `findCredential {"digest":"${digestToken(other.token)}"}`)
          .length;

      assert.match(await refusal(), /DKIM DNS not verified/);
      await inTransaction(api.store, (tx) => verifyDomain(tx, other.domainId));
      assert.deepEqual([await refusal(), forgotten()], [null, 1]);
      await inTransaction(api.store, (tx) =>
        suspendOrganization(tx, other.organizationId, { kind: 'operator', reason: null }),
      );
      assert.match(await refusal(), /unable to send/);
      assert.equal(forgotten(), 2);
      await inTransaction(api.store, (tx) => resumeOrganization(tx, other.organizationId));
      assert.deepEqual([await refusal(), forgotten()], [null, 3]);
    });

    it('makes the caches forget a revoked token after the commit, and by a job of the same commit', async () => {
      const other = await api.createTenant();
      const jobs = async () => {
        const { rows } = await api.store.pool.query<{ data: object }>(
          `select data from pgboss.job where name = 'invalidate' order by created_on`,
        );
        return rows.filter(({ data }) => JSON.stringify(data).includes(digestToken(other.token)));
      };

      await assert.rejects(
        inTransaction(api.store, async (tx) => {
          await revokeToken(tx, other, other.tokenId);
          throw new Error('crash before the commit');
        }),
      );
      assert.equal((await findCredential(other.token)).status, 200);
      assert.equal((await jobs()).length, 0);
      assert.equal(
        api.invalidated.some((line) => line.includes(digestToken(other.token))),
        false,
      );

      await inTransaction(api.store, (tx) => revokeToken(tx, other, other.tokenId));
      assert.deepEqual(await jobs(), [
        { data: { contract: 'findCredential', params: { digest: digestToken(other.token) } } },
      ]);
      assert.equal(api.invalidated.at(-1), `findCredential {"digest":"${digestToken(other.token)}"}`);
    });
  });

  describe('findDkimKeys and findDkimRecord', () => {
    it('gives the active key, and the record that belongs to it', async () => {
      const { body } = await call('GET', `/rpc/v1/domains/${tenant.domain}/dkim_keys`);

      assert.equal(body.domain, tenant.domain);
      assert.equal(body.keys.length, 1);
      assert.match(body.keys[0].privateKey, /^-----BEGIN PRIVATE KEY-----/);
      const { body: record } = await call('GET', `/rpc/v1/domains/${tenant.domain}/dkim_records/postern`);
      assert.match(record.value, /^v=DKIM1; h=sha256; p=[A-Za-z0-9+/]{380,}={0,2}$/);
    });

    it('knows no other domain and no other selector', async () => {
      assert.equal((await call('GET', '/rpc/v1/domains/nobody.test/dkim_keys')).status, 404);
      assert.equal((await call('GET', `/rpc/v1/domains/${tenant.domain}/dkim_records/x`)).status, 404);
    });

    it('keeps private keys sealed in the database', async () => {
      const { rows } = await api.store.pool.query<{ sealed: Buffer }>(
        'select private_key_sealed as sealed from dkim_keys',
      );
      assert.equal(
        rows.some(({ sealed }) => sealed.toString('latin1').includes('PRIVATE KEY')),
        false,
      );
    });

    it('signs with a new key once it is activated, and goes on answering the old record', async () => {
      const other = await api.createTenant();
      const domain = { id: other.domainId, name: other.domain };
      const keyPair = await generateDkimKeyPair();
      const selectors = async () =>
        (await call('GET', `/rpc/v1/domains/${other.domain}/dkim_keys`)).body.keys.map(
          ({ selector }: { selector: string }) => selector,
        );

      const created = await inTransaction(api.store, (tx) =>
        createDkimKey(tx, domain, keyPair, api.settings.secrets.key),
      );
      assert.deepEqual([created.selector, await selectors()], ['postern2', ['postern']]);
      assert.equal(await inTransaction(api.store, (tx) => activateDkimKey(tx, domain, 'postern2')), true);
      assert.deepEqual(await selectors(), ['postern2']);
      assert.equal(api.invalidated.at(-1), `findDkimKeys {"name":"${other.domain}"}`);
      assert.equal((await call('GET', `/rpc/v1/domains/${other.domain}/dkim_records/postern`)).status, 200);
      assert.equal(await inTransaction(api.store, (tx) => activateDkimKey(tx, domain, 'postern')), false);
    });
  });

  describe('createSubmission', () => {
    it('takes a message over as it is, but for its tags, with the recipients of the envelope', async () => {
      const envelope = {
        from: `bounce@${tenant.domain}`,
        to: ['b@example.com', 'blind@EXAMPLE.com', 'b@example.com'],
      };
      const content = `Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n${MESSAGE}`;
      const message = base64(`X-MailPace-Tags: a, b\r\n${content}`);
      const { status, body } = await submit({ envelope, message });

      assert.equal(status, 200);
      assert.equal(await storedMessage(body.messageId), content.replaceAll('DOMAIN', tenant.domain));
      const { rows } = await api.store.pool.query(
        `select message.source, envelope_from, from_header, subject, message.message_id, tags,
                array(select address || ' ' || kind from recipients where message_id = message.id order by id) as recipients,
                (select count(*) from pgboss.job where data = jsonb_build_object('messageId', message.id)) as jobs
           from messages message where id = $1`,
        [body.messageId],
      );
      assert.deepEqual(rows, [
        {
          source: 'smtp',
          envelope_from: `bounce@${tenant.domain}`,
          from_header: `a@${tenant.domain}`,
          subject: 'Grüße',
          message_id: '<1@x>',
          tags: ['a', 'b'],
          recipients: ['b@example.com to', 'blind@example.com bcc'],
          jobs: 1,
        },
      ]);
    });

    it('takes the same submission once, also at the same time', async () => {
      const submissionId = randomUUID();
      const before = [
        await countRows(api, 'messages'),
        await countRows(api, `pgboss.job where name = 'hand-over'`),
      ];
      const answers = await Promise.all(Array.from({ length: 5 }, () => submit({ submissionId })));
      answers.push(await submit({ submissionId }));

      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
      assert.equal(new Set(answers.map(({ body }) => body.messageId)).size, 1);
      const after = [
        await countRows(api, 'messages'),
        await countRows(api, `pgboss.job where name = 'hand-over'`),
      ];
      assert.deepEqual(
        after,
        before.map((count) => count + 1),
      );
    });

    it('adds Message-ID and Date in front when they are missing, and changes no other byte', async () => {
      const bare = `from:  a@${tenant.domain} \r\nX-Odd:\tfolded\r\n  value\r\n\r\n.\r\n..\r\n\xe4`;
      const { body } = await submit({ message: Buffer.from(bare, 'latin1').toString('base64') });

      const { rows } = await api.store.pool.query<{ content: Buffer; message_id: string }>(
        'select content, message.message_id from messages message join message_sources on id = message_sources.message_id where id = $1',
        [body.messageId],
      );
      const content = rows[0]?.content.toString('latin1') ?? '';
      const [first = '', second = '', ...rest] = content.split('\r\n');
      assert.equal(first, `Message-ID: ${rows[0]?.message_id}`);
      assert.match(second, /^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/);
      assert.equal(rest.join('\r\n'), bare);
    });

    it('takes the null reverse-path', async () => {
      assert.equal((await submit({ envelope: { from: '', to: ['b@example.com'] } })).status, 200);
    });

    it('stops taking mail the moment the token is revoked', async () => {
      const other = await api.createTenant();
      assert.equal((await submit({}, other)).status, 200);
      await inTransaction(api.store, (tx) => revokeToken(tx, other, other.tokenId));

      const { status, body } = await submit({}, other);
      assert.deepEqual([status, body.error.code], [422, 'credential_revoked']);
    });

    const refusals: [what: string, code: string, changes: () => object][] = [
      ['an unknown token', 'credential_revoked', () => ({ tokenId: 999_999 })],
      [
        'a foreign envelope sender',
        'sender_not_allowed',
        () => ({ envelope: { from: 'a@other.test', to: ['b@example.com'] } }),
      ],
      [
        'a foreign From',
        'sender_not_allowed',
        () => ({ message: base64('From: a@other.test\r\n\r\nx\r\n') }),
      ],
      [
        'a foreign Sender',
        'sender_not_allowed',
        () => ({ message: base64(`Sender: a@other.test\r\n${MESSAGE}`) }),
      ],
      ['two From', 'message_invalid', () => ({ message: base64(`From: a@DOMAIN\r\n${MESSAGE}`) })],
      ['no From', 'message_invalid', () => ({ message: base64('Subject: x\r\n\r\nx\r\n') })],
      ['a bare LF', 'message_invalid', () => ({ message: base64(`${MESSAGE}\n.\r\n`) })],
      ['a bare CR', 'message_invalid', () => ({ message: base64(`${MESSAGE}\r.\r\n`) })],
      ['a NUL', 'message_invalid', () => ({ message: base64(`${MESSAGE}\0\r\n`) })],
      [
        'a recipient that is no address',
        'message_invalid',
        () => ({ envelope: { from: '', to: ['b@example.com', 'x@localhost'] } }),
      ],
      [
        'a message above the limit',
        'message_too_large',
        () => ({ message: base64(MESSAGE + 'x'.repeat(api.settings.limits.maxMessageBytes)) }),
      ],
    ];
    for (const [what, code, changes] of refusals) {
      it(`refuses ${what}: ${code}`, async () => {
        const before = await countRows(api, 'messages');
        const { status, body } = await submit(changes());
        assert.deepEqual([status, body.error?.code], [422, code], JSON.stringify(body));
        assert.equal(await countRows(api, 'messages'), before);
      });
    }

    it('refuses with the reason while the domain may not send', async () => {
      const { body } = await submit({}, await api.createTenant({ isVerified: false }));
      assert.equal(body.error.code, 'sending_refused');
      assert.match(body.error.message, /DKIM/);
    });
  });
});

import assert from 'node:assert/strict';
import { inTransaction } from '../../api/database.ts';
import { revokeToken } from '../../api/models/api-token.ts';
import { suspendOrganization } from '../../api/models/organization.ts';
import { countRows, sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

const PDF = { name: 'a.pdf', content: 'aGVsbG8=', content_type: 'application/pdf' };
const EXTENSION_BLOCKED = 'Extension file type blocked, see Docs for full list of allowed file types';
const CONTROLS = ['\r\nBcc: x@y', '\n', '\r', '\0', '\u2028', '\u0085', '\ud800', '\x7f'];

describe('POST /api/v1/send', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('send');
    tenant = await api.createTenant({ domain: 'sender.test' });
  });
  after(() => api.close());

  /** Asserts the exact answer, and that a refusal leaves nothing behind. */
  async function expect(status: number, body: unknown, request: ReturnType<typeof sendRequest>) {
    const before = await countRows(api, 'messages');
    const response = await api.app.inject(request);
    assert.deepEqual([response.statusCode, response.json()], [status, body]);
    assert.equal(await countRows(api, 'messages'), before);
  }

  async function accept(payload: object = {}, headers: object = {}): Promise<number> {
    const response = await api.app.inject(sendRequest(tenant, payload, headers));
    assert.equal(response.statusCode, 200, response.body);
    const { id, status } = response.json<{ id: number; status: string }>();
    assert.equal(Number.isInteger(id), true);
    assert.equal(status, 'pending');
    return id;
  }

  describe('the responses of the contract', () => {
    it('200 with an integer id, and one job', async () => {
      const id = await accept();

      const { rows } = await api.store.pool.query(`select data from pgboss.job where name = 'hand-over'`);
      assert.deepEqual(rows.at(-1), { data: { messageId: id } });
    });

    const table: [string, number, unknown, object][] = [
      ['a from that is no address', 400, { error: 'Email from address not parseable' }, { from: 'nobody' }],
      ['no from', 400, { error: 'Email from address not parseable' }, { from: undefined }],
      [
        'two from',
        400,
        { error: 'Email from address not parseable' },
        { from: 'a@sender.test, b@sender.test' },
      ],
      ['no to', 400, { errors: { to: ['undefined field'] } }, { to: undefined }],
      ['a to that is no address', 400, { errors: { to: ['is invalid'] } }, { to: 'nobody' }],
      ['one bad address of two', 400, { errors: { to: ['is invalid'] } }, { to: 'a@b.example, nobody' }],
      ['a cc that is no address', 400, { errors: { cc: ['is invalid'] } }, { cc: 'nobody' }],
      [
        '51 addresses',
        400,
        { errors: { to: ['number of email addresses exceeds maximum volume'] } },
        { to: Array.from({ length: 51 }, (_, n) => `u${n}@example.com`).join(',') },
      ],
      [
        'no body',
        400,
        { errors: { htmlbody: ['undefined field'], textbody: ['undefined field'] } },
        { textbody: undefined },
      ],
      [
        'a foreign from',
        403,
        { error: 'Verified domain does not match domain in From address of email' },
        { from: 'a@other.test' },
      ],
      [
        'a subdomain in from',
        403,
        { error: 'Verified domain does not match domain in From address of email' },
        { from: 'a@sub.sender.test' },
      ],
      ['a to that is no string', 400, { errors: { to: ['is invalid'] } }, { to: { a: 1 } }],
      [
        'attachments that are no list',
        400,
        { errors: { attachments: ['is invalid'] } },
        { attachments: 'x' },
      ],
      ...['run.exe', 'image.001.jpeg', 'noextension', '.pdf', '../../x.pdf'].map(
        (name): [string, number, unknown, object] => [
          `an attachment called ${name}`,
          400,
          { errors: { 'attachments.name': [EXTENSION_BLOCKED] } },
          { attachments: [{ ...PDF, name }] },
        ],
      ),
      [
        'an attachment without a name',
        400,
        { errors: { 'attachments.name': ['undefined field'] } },
        { attachments: [{ ...PDF, name: '' }] },
      ],
      [
        'an attachment that is no base64',
        400,
        { errors: { 'attachments.content': ['is invalid'] } },
        { attachments: [{ ...PDF, content: 'http://169.254.169.254/' }] },
      ],
      [
        'an attachment with a composite type',
        400,
        { errors: { 'attachments.content_type': ['is invalid'] } },
        { attachments: [{ ...PDF, content_type: 'multipart/mixed; boundary=x' }] },
      ],
    ];
    for (const [what, status, body, payload] of table) {
      it(`${status} for ${what}`, () => expect(status, body, sendRequest(tenant, payload)));
    }

    it('401 without a token, before anything of the body is looked at', () =>
      expect(
        401,
        { error: 'Missing API Token' },
        {
          ...sendRequest(tenant),
          headers: { 'content-type': 'application/json' },
          payload: '{',
        },
      ));

    it('400 for a token nobody has', () =>
      expect(400, { error: 'Invalid API Token' }, sendRequest(tenant, {}, { 'mailpace-server-token': 'x' })));

    it('400 for a token of an organization', () =>
      expect(
        400,
        { error: 'Invalid API Token' },
        sendRequest({ ...tenant, token: tenant.organizationToken }),
      ));

    it('400 for a token from the moment of its revocation', async () => {
      const other = await api.createTenant();
      await inTransaction(api.store, (tx) => revokeToken(tx, other, other.tokenId));

      await expect(400, { error: 'Invalid API Token' }, sendRequest(other));
    });

    it('403 before the DKIM record was seen', async () => {
      const error = 'Domain DKIM DNS not verified, please complete DKIM Verification';
      await expect(403, { error }, sendRequest(await api.createTenant({ isVerified: false })));
    });

    it('403 while the organization is suspended', async () => {
      const other = await api.createTenant();
      await inTransaction(api.store, (tx) =>
        suspendOrganization(tx, other.organizationId, { kind: 'operator', reason: null }),
      );

      const error = 'This organization is unable to send emails. Please contact support';
      await expect(403, { error }, sendRequest(other));
    });

    for (const headers of [
      { accept: 'text/html' },
      { accept: 'application/json;q=0' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'multipart/form-data; boundary=x' },
    ]) {
      it(`406 for ${JSON.stringify(headers)}`, () =>
        expect(
          406,
          { error: 'Invalid request format or content type' },
          {
            ...sendRequest(tenant, {}, headers),
            payload: JSON.stringify({}),
          },
        ));
    }

    for (const payload of ['{', 'null x', '{"__proto__":{"from":"a"}}', '{"constructor":{"prototype":{}}}']) {
      it(`400 for ${JSON.stringify(payload)} instead of JSON`, () =>
        expect(
          400,
          { error: 'Request body is not valid JSON' },
          {
            ...sendRequest(tenant, {}, { 'content-type': 'application/json' }),
            payload,
          },
        ));
    }

    it('400 for JSON that is no object, for no JSON, and for 100,000 nested arrays', async () => {
      const error = { error: 'Request body is not a JSON object' };
      const headers = { 'content-type': 'application/json' };
      const deep = '['.repeat(100_000) + ']'.repeat(100_000);
      for (const payload of ['', 'null', '[]', '"x"', '1', deep]) {
        await expect(400, error, { ...sendRequest(tenant, {}, headers), payload });
      }
    });

    it('413 for a message above the limit, and for a body that cannot be below it', async () => {
      const error = { error: 'Email exceeds the maximum size of 30 MB' };
      const limit = api.settings.limits.maxMessageBytes;
      await expect(413, error, sendRequest(tenant, { textbody: 'x'.repeat(limit + 1) }));
      await expect(413, error, sendRequest(tenant, { textbody: 'x'.repeat(limit * 1.5) }));
    });
  });

  describe('control characters in what becomes a header (HD-1)', () => {
    const fields: [field: string, payload: (control: string) => object][] = [
      ['from', (control) => ({ from: `A${control}B <a@sender.test>` })],
      ['to', (control) => ({ to: `A${control}B <b@example.com>` })],
      ['cc', (control) => ({ cc: `"A${control}B" <b@example.com>` })],
      ['bcc', (control) => ({ bcc: `b@example.com${control}` })],
      ['replyto', (control) => ({ replyto: `b${control}@example.com` })],
      ['subject', (control) => ({ subject: `A${control}B` })],
      ['inreplyto', (control) => ({ inreplyto: `<a${control}@b>` })],
      ['references', (control) => ({ references: `<a@b> <c${control}@d>` })],
      ['list_unsubscribe', (control) => ({ list_unsubscribe: `<https://x.test/${control}>` })],
      ['tags', (control) => ({ tags: [`a${control}b`] })],
      ['attachments.name', (control) => ({ attachments: [{ ...PDF, name: `a${control}b.pdf` }] })],
      ['attachments.cid', (control) => ({ attachments: [{ ...PDF, cid: `a${control}b` }] })],
      [
        'attachments.content_type',
        (control) => ({ attachments: [{ ...PDF, content_type: `text/plain;${control}x=y` }] }),
      ],
    ];
    for (const [field, payload] of fields) {
      it(`refuses them in ${field}`, async () => {
        for (const control of CONTROLS) {
          const response = await api.app.inject(sendRequest(tenant, payload(control)));
          assert.deepEqual(
            [response.statusCode, response.json()],
            [400, { errors: { [field]: ['is invalid'] } }],
            JSON.stringify(control),
          );
        }
      });
    }

    it('has queued nothing of it', async () => {
      const { rows } = await api.store.pool.query(`select from messages where subject like '%A%B%'`);
      assert.equal(rows.length, 0);
    });
  });

  describe('leniency (contract 8.3)', () => {
    it('takes both token headers in any case', async () => {
      const { token } = tenant;
      for (const name of [
        'MailPace-Server-Token',
        'MAILPACE-SERVER-TOKEN',
        'OhMySMTP-Server-Token',
        'Ohmysmtp-Server-Token',
      ]) {
        await accept({}, { 'mailpace-server-token': '', [name]: token });
      }
    });

    for (const accepts of [
      '*/*',
      'application/json',
      'application/*',
      'text/html, application/json;q=0.9',
      '',
    ]) {
      it(`takes Accept: ${accepts || '(none)'}`, () => accept({}, { accept: accepts }));
    }

    it('takes "", null and [] as absent, and ignores unknown keys', () =>
      accept({
        cc: '',
        bcc: null,
        subject: '',
        htmlbody: '',
        replyto: null,
        inreplyto: '',
        references: null,
        list_unsubscribe: '',
        attachments: [],
        tags: [],
        unknown: { deep: [1] },
      }));

    it('takes lists with quoted commas, each address once', async () => {
      const id = await accept({
        to: '"Last, First" <b@example.com>,c@example.com , B <b@EXAMPLE.com>',
        cc: 'c@example.com,d@example.com',
        bcc: 'e@example.com, d@example.com',
      });

      const { rows } = await api.store.pool.query(
        'select address, kind from recipients where message_id = $1 order by id',
        [id],
      );
      assert.deepEqual(rows, [
        { address: 'b@example.com', kind: 'to' },
        { address: 'c@example.com', kind: 'to' },
        { address: 'd@example.com', kind: 'cc' },
        { address: 'e@example.com', kind: 'bcc' },
      ]);
    });

    it('takes one tag or several', async () => {
      for (const [tags, stored] of [
        ['one', ['one']],
        [
          ['a', 'b'],
          ['a', 'b'],
        ],
      ]) {
        const id = await accept({ tags });
        const { rows } = await api.store.pool.query('select tags from messages where id = $1', [id]);
        assert.deepEqual(rows, [{ tags: stored }]);
      }
    });

    it('takes attachments with whitespace in their base64, in upper case, and cids in all spellings', async () => {
      for (const cid of ['x', '<x>', 'cid:x', null, undefined]) {
        await accept({
          attachments: [{ name: 'A.PNG', content: ' aGV\r\nsbG8= ', content_type: null, cid }],
        });
      }
    });
  });

  it('shows no token and no address in the errors it answers', async () => {
    const canary = 'S3cr3t-canary';
    for (const request of [
      sendRequest(tenant, { to: canary }, {}),
      sendRequest(tenant, {}, { 'mailpace-server-token': canary }),
      sendRequest(tenant, { from: `${canary}@other.test` }),
    ]) {
      const { body } = await api.app.inject(request);
      assert.equal(body.includes(canary), false);
    }
  });
});

import assert from 'node:assert/strict';
import { inTransaction } from '../../api/database.ts';
import { createDomainToken } from '../../api/models/api-token.ts';
import { acceptMessage } from '../../api/models/message.ts';
import { newMessage, sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk', 'base64');

describe('the source of a message and its parts', () => {
  let api: TestApi;
  let tenant: Tenant;
  let foreign: Tenant;
  let id: number;

  before(async () => {
    api = await startTestApi('sources');
    tenant = await api.createTenant();
    foreign = await api.createTenant();
    id = await send({
      subject: 'Überweisung',
      textbody: 'Grüße\nund Küsse',
      htmlbody: '<p>Grüße <img src="cid:logo"><script>alert(1)</script></p>',
      attachments: [
        { name: 'Rechnung für May.pdf', content: Buffer.from('%PDF-1.7').toString('base64') },
        { name: 'logo.png', content: PNG.toString('base64'), cid: 'logo' },
        { name: 'page.html', content: Buffer.from('<script>1</script>').toString('base64') },
        { name: 'empty.txt', content: '' },
      ],
    });
  });
  after(() => api.close());

  async function send(payload: object): Promise<number> {
    const response = await api.app.inject(sendRequest(tenant, payload));
    assert.equal(response.statusCode, 200, response.body);
    return response.json<{ id: number }>().id;
  }

  /** What came in over SMTP may look like anything. */
  function accept(content: string): Promise<number> {
    return inTransaction(api.store, (tx) => acceptMessage(tx, newMessage(tenant, content)));
  }

  const get = (path: string, headers: object = { 'mailpace-server-token': tenant.token }) =>
    api.app.inject({ url: `/api/v1/messages/${path}`, headers: { ...headers } });

  it('is the bytes that were stored, whatever the client accepts', async () => {
    const answer = await get(`${id}/source`, {
      'mailpace-server-token': tenant.token,
      accept: 'message/rfc822',
    });

    const { rows } = await api.store.pool.query('select content from message_sources where message_id = $1', [
      id,
    ]);
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.rawPayload, rows[0].content);
    assert.equal(answer.headers['content-type'], 'message/rfc822');
    assert.equal(
      answer.headers['content-disposition'],
      `attachment; filename="${id}.eml"; filename*=UTF-8''${id}.eml`,
    );
  });

  it('has its texts and the names, types and sizes of what is attached', async () => {
    const answer = await get(`${id}/parts`);

    assert.equal(answer.statusCode, 200, answer.body);
    const { text, html, attachments } = answer.json();
    assert.equal(text.trimEnd(), 'Grüße\nund Küsse');
    assert.match(html, /^<p>Grüße <img src="cid:logo"><script>/);
    assert.deepEqual(
      attachments.toSorted((a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name)),
      attachments
        .map(({ number, name }: { number: number; name: string }) => ({ number, name, ...expected[name] }))
        .toSorted((a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name)),
    );
    assert.deepEqual(
      attachments.map(({ number }: { number: number }) => number),
      [1, 2, 3, 4],
    );
  });

  const expected: Record<string, object> = {
    'Rechnung für May.pdf': { content_type: 'application/pdf', size: 8, cid: null, inline: false },
    'logo.png': { content_type: 'image/png', size: PNG.length, cid: 'logo', inline: true },
    'page.html': { content_type: 'text/html', size: 18, cid: null, inline: false },
    'empty.txt': { content_type: 'text/plain', size: 0, cid: null, inline: false },
  };

  it('gives out what is attached as files, byte by byte', async () => {
    const { attachments } = (await get(`${id}/parts`)).json();
    const contents: Record<string, Buffer> = {};
    for (const { number, name } of attachments) {
      const answer = await get(`${id}/attachments/${number}`);
      assert.equal(answer.statusCode, 200);
      assert.match(String(answer.headers['content-disposition']), /^attachment; /);
      contents[name] = answer.rawPayload;
    }
    assert.deepEqual(contents, {
      'Rechnung für May.pdf': Buffer.from('%PDF-1.7'),
      'logo.png': PNG,
      'page.html': Buffer.from('<script>1</script>'),
      'empty.txt': Buffer.alloc(0),
    });
  });

  it('lets nothing of what a sender wrote run, load or be taken for something else', async () => {
    const { attachments } = (await get(`${id}/parts`)).json();
    const page = attachments.find(({ name }: { name: string }) => name === 'page.html').number;
    for (const path of ['source', 'parts/html', 'parts/text', `attachments/${page}`]) {
      const { headers, statusCode } = await get(`${id}/${path}`);
      assert.equal(statusCode, 200, path);
      assert.match(String(headers['content-security-policy']), /^sandbox; default-src 'none';/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['cache-control'], 'private, no-store');
    }
  });

  it('shows the html with its own images in it, and loads no other', async () => {
    const html = await get(`${id}/parts/html`);
    assert.equal(html.headers['content-type'], 'text/html; charset=utf-8');
    assert.ok(html.body.includes(`<img src="data:image/png;base64,${PNG.toString('base64')}">`), html.body);

    const text = await get(`${id}/parts/text`);
    assert.equal(text.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(text.body.trimEnd(), 'Grüße\nund Küsse');
  });

  it('takes apart what is large as well', async () => {
    const content = Buffer.alloc(1_000_000, 'Postern');
    const large = await send({ attachments: [{ name: 'large.zip', content: content.toString('base64') }] });

    const { text, attachments } = (await get(`${large}/parts`)).json();
    assert.deepEqual([text.trimEnd(), attachments[0].size], ['Hello', 1_000_000]);
    assert.deepEqual((await get(`${large}/attachments/1`)).rawPayload, content);
  });

  it('keeps a name within its quotes and its header, and believes no odd type', async () => {
    const odd = await accept(
      [
        'From: a@x',
        'Content-Type: x"; y',
        "Content-Disposition: attachment; filename*=UTF-8''..%2F..%2Fa%22%0D%0AX-Evil%3A%201%E2%80%AEfdp.exe",
        '',
        'x',
      ].join('\r\n'),
    );
    const answer = await get(`${odd}/attachments/1`);

    assert.equal(answer.statusCode, 200, answer.body);
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
    assert.equal(answer.headers['x-evil'], undefined);
    assert.match(
      String(answer.headers['content-disposition']),
      /^attachment; filename="[^"/\\%]*"; filename\*=UTF-8''[\w.%-]*$/,
    );
  });

  it('refuses to take apart what has too many parts, and still shows its source', async () => {
    const parts = (count: number) =>
      `From: a@x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\n\r\n'.repeat(count)}--b--\r\n`;
    const large = await accept(parts(50_000));
    assert.equal((await get(`${large}/parts`)).statusCode, 422);
    const bomb = await accept(parts(5_000));
    for (const path of ['parts', 'parts/html', 'attachments/1']) {
      assert.equal((await get(`${bomb}/${path}`)).statusCode, 422, path);
    }
    assert.equal((await get(`${bomb}/source`)).statusCode, 200);
  });

  it('has no part that is not in it', async () => {
    const plain = await send({ textbody: 'x' });
    for (const path of ['parts/html', 'attachments/1', 'attachments/0', 'attachments/-1', 'attachments/x']) {
      assert.equal((await get(`${plain}/${path}`)).statusCode, 404, path);
    }
    const { html, attachments } = (await get(`${plain}/parts`)).json();
    assert.deepEqual([html, attachments], [null, []]);
  });

  it('answers 410 when the message is known and its source is not kept any more', async () => {
    const old = await send({});
    await api.store.pool.query('delete from message_sources where message_id = $1', [old]);

    for (const path of ['source', 'parts', 'attachments/1']) {
      const answer = await get(`${old}/${path}`);
      assert.deepEqual(
        [answer.statusCode, answer.json()],
        [410, { error: 'The source of this message is not kept any more' }],
      );
    }
  });

  it("is another tenant's business no more than a message that does not exist (AU-9)", async () => {
    for (const path of ['source', 'parts', 'parts/text', 'parts/html', 'attachments/1']) {
      for (const headers of [
        { 'mailpace-server-token': foreign.token },
        { 'mailpace-organization-token': foreign.organizationToken },
      ]) {
        const theirs = await get(`${id}/${path}`, headers);
        const missing = await get(`999999999/${path}`, headers);
        assert.deepEqual([theirs.statusCode, theirs.body], [404, missing.body], path);
      }
      const own = await get(`${id}/${path}`, { 'mailpace-organization-token': tenant.organizationToken });
      assert.equal(own.statusCode, 200, path);
    }
  });

  it('needs a token with the scope messages:read', async () => {
    for (const [scopes, status] of [
      [['messages:read'], 200],
      [['send'], 403],
    ] as const) {
      const { token } = await createDomainToken(api.store.pool, {
        ...tenant,
        name: 't',
        scopes: [...scopes],
      });
      for (const path of ['source', 'parts', 'attachments/1']) {
        assert.equal(
          (await get(`${id}/${path}`, { 'mailpace-server-token': token })).statusCode,
          status,
          path,
        );
      }
    }
    assert.equal((await get(`${id}/source`, {})).statusCode, 401);
  });
});

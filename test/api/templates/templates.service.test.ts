import assert from 'node:assert/strict';
import { type ParsedMail, simpleParser } from 'mailparser';
import { countRows, sendRequest, startTestApi, type Tenant, type TestApi } from '../support.ts';

const WELCOME = {
  name: 'welcome',
  subject: 'Welcome, {{ name }}',
  htmlbody: '<p>Hello {{ name }}</p>',
  textbody: 'Hello {{ name }}',
};

describe('templates', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('templates');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  async function call(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    payload?: object,
    headers: Record<string, string> = { 'mailpace-organization-token': tenant.organizationToken },
  ) {
    const url = `/api/v1/templates${path}`;
    const response = await api.app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
    return { status: response.statusCode, body: response.json() };
  }
  const withToken = ({ token }: Tenant) => ({ 'mailpace-server-token': token });

  let count = 0;
  async function create(fields: object = {}): Promise<{ id: number; name: string }> {
    count += 1;
    const { status, body } = await call('POST', '', { ...WELCOME, name: `t${count}x`, ...fields });
    assert.equal(status, 201, JSON.stringify(body));
    return body;
  }

  async function send(payload: object, from = tenant) {
    const response = await api.app.inject(sendRequest(from, { textbody: undefined, ...payload }));
    return { status: response.statusCode, body: response.json() };
  }

  async function readSent(id: number): Promise<ParsedMail> {
    const { rows } = await api.store.pool.query<{ content: Buffer }>(
      'select content from message_sources where message_id = $1',
      [id],
    );
    return simpleParser(rows[0]?.content ?? '');
  }

  async function sent(payload: object): Promise<ParsedMail> {
    const { status, body } = await send(payload);
    assert.equal(status, 200, JSON.stringify(body));
    return readSent(body.id);
  }

  it('are created, listed, shown, changed and deleted', async () => {
    const { status, body } = await call('POST', '', WELCOME);
    assert.equal(status, 201);
    const { id, created_at, updated_at, ...rest } = body;
    assert.deepEqual(rest, { ...WELCOME, domain: null });
    assert.deepEqual((await call('GET', `/${id}`)).body, body);
    const summary = { id, name: 'welcome', domain: null, created_at, updated_at };
    assert.deepEqual((await call('GET', '')).body, { templates: [summary] });

    const changed = await call('PATCH', `/${id}`, { subject: 'Hi', textbody: null });
    assert.deepEqual(
      [changed.body.subject, changed.body.textbody, changed.body.name],
      ['Hi', null, 'welcome'],
    );
    assert.equal((await call('DELETE', `/${id}`)).status, 200);
    assert.equal((await call('GET', `/${id}`)).status, 404);
    const { rows } = await api.store.pool.query('select action from audit_entries order by id');
    assert.deepEqual(
      rows.map(({ action }) => action),
      ['template.created', 'template.changed', 'template.deleted'],
    );
  });

  it('become mail, escaped in HTML only', async () => {
    const { name, id } = await create();
    for (const template of [name, id, String(id)]) {
      const mail = await sent({ template, template_data: { name: '<i>Ada</i> & Co' } });
      assert.equal(mail.subject, 'Welcome, <i>Ada</i> & Co');
      assert.equal(mail.text?.trim(), 'Hello <i>Ada</i> & Co');
      assert.equal(mail.html, '<p>Hello &lt;i&gt;Ada&lt;/i&gt; &amp; Co</p>');
    }
  });

  it('become mail in a batch, each with its own data', async () => {
    const { name } = await create();
    const one = (data: object) => ({
      from: `a@${tenant.domain}`,
      to: 'b@example.com',
      template: name,
      template_data: data,
    });
    const response = await api.app.inject({
      ...sendRequest(tenant),
      url: '/api/v1/send/batch',
      payload: { messages: [one({ name: 'Ada' }), one({}), one({ name: 'Bob' })] },
    });

    const [ada, nobody, bob] = response.json().results;
    assert.deepEqual(
      [(await readSent(ada.id)).subject, (await readSent(bob.id)).subject],
      ['Welcome, Ada', 'Welcome, Bob'],
    );
    assert.deepEqual(nobody, {
      status: 'refused',
      code: 400,
      errors: { 'template_data.name': ['undefined field'] },
    });
  });

  it('leave the subject to the request, where it has one', async () => {
    const { name } = await create();
    const mail = await sent({ template: name, template_data: { name: 'Ada' }, subject: 'Own' });
    assert.deepEqual([mail.subject, mail.text?.trim()], ['Own', 'Hello Ada']);
  });

  it("are the domain's own before the organization's", async () => {
    await create({ name: 'shared', textbody: 'of all' });
    await create({ name: 'shared', textbody: 'of one', domain: tenant.domain });
    const mail = await sent({ template: 'shared', template_data: { name: 'x' } });
    assert.equal(mail.text?.trim(), 'of one');
  });

  it("are managed by a domain's token too, those of its domain", async () => {
    const { id } = await create();
    const made = await call('POST', '', { ...WELCOME, name: 'own' }, withToken(tenant));

    assert.equal(made.body.domain, tenant.domain);
    assert.equal((await call('GET', `/${id}`, undefined, withToken(tenant))).status, 404);
    assert.equal((await call('DELETE', `/${made.body.id}`, undefined, withToken(tenant))).status, 200);
  });

  for (const value of ['x\r\nBcc: y@z', 'x\ny', 'x\0y', 'x\u2028y']) {
    it(`cannot inject a header by ${JSON.stringify(value)} (HD-1)`, async () => {
      const { name } = await create();
      const before = await countRows(api, 'messages');
      const answer = await send({ template: name, template_data: { name: value } });
      assert.deepEqual(answer, { status: 400, body: { errors: { subject: ['is invalid'] } } });
      assert.equal(await countRows(api, 'messages'), before);
    });
  }

  describe('are refused in a request', () => {
    it('when data is missing, each by its name', async () => {
      const { name } = await create({ htmlbody: '{{ name }} {{ order.id }}' });
      assert.deepEqual(await send({ template: name, template_data: { order: {} } }), {
        status: 400,
        body: {
          errors: {
            'template_data.name': ['undefined field'],
            'template_data.order.id': ['undefined field'],
          },
        },
      });
    });

    const deep = (depth: number): object => (depth === 0 ? {} : { a: deep(depth - 1) });
    for (const [what, payload, errors] of [
      ['that does not exist', { template: 'nothing' }, { template: ['does not exist'] }],
      ['that is no name', { template: { a: 1 } }, { template: ['is not an id or a name'] }],
      ['that has a NUL', { template: 'a\0' }, { template: ['is not an id or a name'] }],
      ['beside a body', { template: 'x', textbody: 'y' }, { textbody: ['cannot be given with a template'] }],
      ['with a list', { template: 'x', template_data: ['y'] }, { template_data: ['is not an object'] }],
      [
        'with too much',
        { template: 'x', template_data: { a: 'x'.repeat(100_001) } },
        { template_data: ['is longer than 100000 characters'] },
      ],
      [
        'with data that is too deep',
        { template: 'x', template_data: deep(1_000) },
        { template_data: ['is nested more than 20 deep'] },
      ],
    ] as const) {
      it(what, async () => assert.deepEqual(await send(payload), { status: 400, body: { errors } }));
    }

    it('when rendering takes too much (MB-8)', async () => {
      const { name } = await create({
        htmlbody: '{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}',
      });
      const { status, body } = await send({ template: name, template_data: { name: 'x' } });
      assert.equal(status, 400);
      assert.match(body.errors['template.htmlbody'][0], /^line 1: .*limit exceeded/);
    });
  });

  describe('are refused when they are saved', () => {
    for (const [what, fields, errors] of [
      ['with a mistake', { htmlbody: 'a\n{% if %}' }, /^line 2: /],
      ['without a body', { htmlbody: '', textbody: null }, /^undefined field$/],
      ['with a NUL', { htmlbody: 'a\0' }, /NUL/],
      ['too long', { htmlbody: 'a'.repeat(200_001) }, /200000 characters/],
    ] as const) {
      it(what, async () => {
        const { status, body } = await call('POST', '', { ...WELCOME, name: 'bad', ...fields });
        assert.equal(status, 422);
        assert.match(body.errors.htmlbody[0], errors);
      });
    }

    for (const name of ['', '12', 'With Space', 'ä', '__proto__', 'x'.repeat(101)]) {
      it(`under the name ${JSON.stringify(name).slice(0, 20)}`, async () => {
        assert.equal((await call('POST', '', { ...WELCOME, name })).status, 422);
      });
    }

    it('under a name that is taken', async () => {
      const { name, id } = await create();
      const other = await create();
      const taken = { status: 422, body: { errors: { name: ['has already been taken'] } } };
      assert.deepEqual(await call('POST', '', { ...WELCOME, name }), taken);
      assert.deepEqual(await call('PATCH', `/${other.id}`, { name }), taken);
      assert.equal((await call('GET', `/${id}`)).status, 200);
    });

    it('without the last body', async () => {
      const { id } = await create({ textbody: null });
      const { status, body } = await call('PATCH', `/${id}`, { htmlbody: '' });
      assert.deepEqual([status, body.errors.htmlbody], [422, ['undefined field']]);
    });
  });

  it('are shown as they would be sent', async () => {
    const { id } = await create();
    const shown = await call('POST', `/${id}/preview`, { template_data: { name: '<Ada>' } });
    assert.deepEqual(shown, {
      status: 200,
      body: { subject: 'Welcome, <Ada>', htmlbody: '<p>Hello &lt;Ada&gt;</p>', textbody: 'Hello <Ada>' },
    });
    assert.deepEqual(await call('POST', `/${id}/preview`, {}), {
      status: 422,
      body: { errors: { 'template_data.name': ['undefined field'] } },
    });
  });

  it("are nobody else's (AU-9)", async () => {
    const { id, name } = await create();
    const other = await api.createTenant();
    const asOther = { 'mailpace-organization-token': other.organizationToken };
    for (const headers of [asOther, withToken(other)]) {
      for (const [method, path, payload] of [
        ['GET', '', undefined],
        ['PATCH', '', { subject: 'x' }],
        ['DELETE', '', undefined],
        ['POST', '/preview', {}],
      ] as const) {
        const known = await call(method, `/${id}${path}`, payload, headers);
        assert.deepEqual(known, { status: 404, body: { error: 'Not found' } });
        assert.deepEqual(await call(method, `/999999${path}`, payload, headers), known);
      }
    }
    assert.deepEqual((await call('GET', '', undefined, asOther)).body, { templates: [] });
    const sending = await send({ template: name, template_data: { name: 'x' } }, other);
    assert.deepEqual(sending.body, { errors: { template: ['does not exist'] } });
    const foreign = { ...WELCOME, name: 'foreign', domain: other.domain };
    assert.equal((await call('POST', '', foreign)).status, 422);
  });
});

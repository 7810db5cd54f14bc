import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import type { Store } from '../../api/database.ts';
import { reapImports } from '../../api/models/suppression-import.ts';
import { runImport } from '../../api/suppressions/import.ts';
import { countRows, sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('suppressions as CSV', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('suppression_imports');
  });
  beforeEach(async () => {
    tenant = await api.createTenant();
    api.invalidated.length = 0;
  });
  after(() => api.close());

  const asOrganization = (of = tenant) => ({ 'mailpace-organization-token': of.organizationToken });
  const asDomain = (of = tenant) => ({ 'mailpace-server-token': of.token });

  async function call(options: InjectOptions, headers: Record<string, string> = asOrganization()) {
    const response = await api.app.inject({ ...options, headers: { ...headers, ...options.headers } });
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    return { status: response.statusCode, body: isJson ? response.json() : response.body };
  }

  async function upload(
    payload: string | Buffer,
    { query = '', headers = asOrganization() }: { query?: string; headers?: Record<string, string> } = {},
  ) {
    const csv = { 'content-type': 'text/csv' };
    const url = `/api/v1/suppressions/imports${query}`;
    return call({ method: 'POST', url, payload, headers: csv }, headers);
  }

  /** What the worker does. */
  async function importList(payload: string | Buffer, options: Parameters<typeof upload>[1] = {}) {
    const { status, body } = await upload(payload, options);
    assert.equal(status, 202, JSON.stringify(body));
    assert.equal(body.state, 'running');
    await runImport(api.store, body.id);
    return (await call({ url: `/api/v1/suppressions/imports/${body.id}` })).body;
  }

  async function exportList(query = '', headers: Record<string, string> = asOrganization()) {
    const { status, body } = await call({ url: `/api/v1/suppressions/export${query}` }, headers);
    assert.equal(status, 200);
    return body as string;
  }

  /** Without the moment of each. */
  async function lines(query = '') {
    const [, ...rest] = (await exportList(query)).trimEnd().split('\n');
    return rest.map((line) => line.replace(/,[^,]*$/, '')).toSorted();
  }

  const counts = ({ lines, added, changed, refused }: Record<string, number>) => [
    ...[lines, added, changed, refused],
  ];

  it('adds what the lines say, from where they come they count at once', async () => {
    const ended = await importList(
      `address,list,domain,stream,reason,note,expires_at\r\n` +
        `Ann@Example.com,,,,,,\r\n` +
        `bob@example.com,block,${tenant.domain},bulk,unsubscribed,"asked, in ""writing""",2100-01-01T00:00:00Z\r\n` +
        `vip@example.com,allow,,,manual,,\r\n`,
    );

    assert.deepEqual([ended.state, ended.problems, counts(ended)], ['finished', [], [3, 3, 0, 0]]);
    assert.deepEqual(await lines(), [
      'ann@example.com,block,,all,imported,,',
      `bob@example.com,block,${tenant.domain},bulk,unsubscribed,"asked, in ""writing""",2100-01-01T00:00:00.000Z`,
      'vip@example.com,allow,,all,manual,,',
    ]);
    const refused = await api.app.inject(sendRequest(tenant, { to: 'ann@example.com' }));
    assert.deepEqual(refused.json(), { errors: { to: ['contains a blocked address'] } });
    assert.ok(
      api.invalidated.includes(`findSuppression {"address":"ann@example.com","domain":"${tenant.domain}"}`),
    );
    assert.equal(await countRows(api, `suppression_import_parts where import_id = ${ended.id}`), 0);
  });

  it('changes nothing the second time, and nothing is told', async () => {
    const list = 'address,note\na@example.com,one\nb@example.com,\n';
    await importList(list);
    const before = await exportList();
    api.invalidated.length = 0;

    assert.deepEqual(counts(await importList(list)), [2, 0, 0, 0]);
    assert.equal(await exportList(), before);
    assert.deepEqual(api.invalidated, []);
  });

  it('keeps the reason and the note that a line does not give', async () => {
    await importList('address,reason,note\na@example.com,complained,by telephone\n');
    assert.deepEqual(counts(await importList('address\nA@EXAMPLE.COM\n')), [1, 0, 0, 0]);
    assert.deepEqual(await lines(), ['a@example.com,block,,all,complained,by telephone,']);

    assert.deepEqual(counts(await importList('address,reason\na@example.com,bounced\n')), [1, 0, 1, 0]);
    assert.deepEqual(await lines(), ['a@example.com,block,,all,bounced,by telephone,']);
  });

  it('takes what it has exported, formulas and all, into another organization', async () => {
    await importList(
      'address,note\n' +
        '=cmd@example.com,=1+1\n+49@example.com,@sum\n-x@example.com,"-2, a ""quote"""\n' +
        "'=odd@example.com,'plain\n''=odder@example.com,＝wide\n",
    );
    const exported = await exportList();
    for (const line of exported.split('\n').slice(1)) assert.doesNotMatch(line, /(^|,)"?[=+\-@＝]/);
    assert.match(exported, /^'=cmd@example\.com,block,,all,imported,'=1\+1,/m);

    const before = await lines();
    tenant = await api.createTenant();
    assert.deepEqual(counts(await importList(exported)), [5, 5, 0, 0]);
    assert.deepEqual(await lines(), before);
  });

  it('says what is wrong with which line, and takes the others', async () => {
    const stranger = await api.createTenant();
    const rows = [
      'address,list,domain,stream,reason,note,expires_at',
      'good@example.com,,,,,,',
      'nobody,,,,,,',
      ',,,,,,',
      'a@example.com,grey,,,,,',
      'a@example.com,,other.test,,,,',
      `a@example.com,,${stranger.domain},,,,`,
      'a@example.com,,,slow,,,',
      'a@example.com,,,,boredom,,',
      'a@example.com,,,,,,tomorrow',
      'a@example.com,,,,,,2001-01-01',
      'a@example.com,too,few',
      `a@example.com,,,,,${'x'.repeat(1001)},`,
      'fine@example.com,BLOCK,,All,Manual,,2100-01-01',
    ];
    const ended = await importList(rows.join('\n'));

    assert.equal(ended.state, 'finished');
    assert.deepEqual(
      ended.problems.map((problem: object) => Object.values(problem)),
      [
        [3, 'address', 'is invalid'],
        [4, 'address', 'undefined field'],
        [5, 'list', 'is none of block, allow'],
        [6, 'domain', 'is not a domain of this token'],
        [7, 'domain', 'is not a domain of this token'],
        [8, 'stream', 'is none of all, transactional, bulk'],
        [9, 'reason', 'is none of bounced, complained, unsubscribed, manual, imported'],
        [10, 'expires_at', 'is invalid'],
        [11, 'expires_at', 'is in the past'],
        [12, null, 'has 3 cells, the first line 7'],
        [13, 'note', 'is invalid'],
      ],
    );
    assert.deepEqual(counts(ended), [13, 2, 0, 11]);
    assert.deepEqual((await lines()).length, 2);
  });

  for (const [what, file, problem] of [
    ['an empty file', '', [1, null, 'the file is empty']],
    [
      'a file without names of columns',
      'a@example.com\nb@example.com\n',
      [1, 'address', 'the first line names the columns, and this is not among them'],
    ],
    [
      'a file with semicolons',
      'address;note\na@example.com;x\n',
      [1, 'address', 'the first line names the columns, and this is not among them'],
    ],
    [
      'a quote that is not closed',
      'address\n"a@example.com\nb@example.com\n',
      [2, null, 'has a quote that is not closed'],
    ],
    [
      'a line without an end',
      `address\n${'x'.repeat(100_000)}`,
      [2, null, 'is longer than 10000 characters, or has a quote that is not closed'],
    ],
    [
      'bytes that are no text',
      Buffer.alloc(50_000, 0),
      [1, null, 'is longer than 10000 characters, or has a quote that is not closed'],
    ],
  ] as const) {
    it(`ends early for ${what}`, async () => {
      const ended = await importList(file);
      assert.equal(ended.state, 'failed');
      assert.deepEqual(
        ended.problems.map((found: object) => Object.values(found)),
        [problem],
      );
      assert.equal(ended.added, 0);
    });
  }

  it('takes a byte order mark, columns in any order and case, others that it does not know, and empty lines', async () => {
    const ended = await importList('\ufeffCreated,Note,ADDRESS\r\n\r\n2020,hello, a@example.com \r\n\r\n');
    assert.deepEqual([ended.problems, counts(ended)], [[], [1, 1, 0, 0]]);
    assert.deepEqual(await lines(), ['a@example.com,block,,all,imported,hello,']);
  });

  it('lets the last of several lines about the same count', async () => {
    const ended = await importList('address,note\na@example.com,first\nA@example.com,last\n');
    assert.deepEqual(counts(ended), [2, 1, 0, 0]);
    assert.deepEqual(await lines(), ['a@example.com,block,,all,imported,last,']);
  });

  it('keeps a hundred problems and counts all', async () => {
    const ended = await importList(`address\n${'nobody\n'.repeat(2_500)}`);
    assert.deepEqual([ended.problems.length, ended.refused, ended.problems.at(-1).line], [100, 2_500, 101]);
  });

  describe('2,500 lines', () => {
    const list = () =>
      `address\n${Array.from({ length: 2_500 }, (_, index) => `u${index}@example.com\n`).join('')}`;

    it('of a worker that dies in the middle are gone on with by the next', async () => {
      const { body } = await upload(list());
      await assert.rejects(runImport(dyingAfter(2), body.id), /killed/);
      const url = `/api/v1/suppressions/imports/${body.id}`;
      const half = (await call({ url })).body;
      assert.deepEqual([half.state, half.lines, half.added], ['running', 2_000, 2_000]);

      await runImport(api.store, body.id);
      const ended = (await call({ url })).body;
      assert.deepEqual([ended.state, counts(ended)], ['finished', [2_500, 2_500, 0, 0]]);
      assert.equal((await lines()).length, 2_500);
    });

    it('that two workers read at a time are counted once', async () => {
      const { body } = await upload(list());
      await Promise.allSettled([runImport(api.store, body.id), runImport(api.store, body.id)]);
      await runImport(api.store, body.id);
      const ended = (await call({ url: `/api/v1/suppressions/imports/${body.id}` })).body;
      assert.deepEqual([ended.state, counts(ended)], ['finished', [2_500, 2_500, 0, 0]]);
    });

    it('come out again, in pages, filtered', async () => {
      await importList(list());
      assert.equal((await lines('?list=block&reason=imported')).length, 2_500);
      assert.deepEqual(await lines('?address=U7@example.com'), ['u7@example.com,block,,all,imported,,']);
      assert.deepEqual(await lines('?list=allow'), []);
    });
  });

  /** A store whose process is killed once so many batches are committed. */
  function dyingAfter(batches: number): Store {
    let left = batches;
    const pool = Object.create(api.store.pool) as Store['pool'];
    const connect = (...callback: []) => {
      if (callback.length > 0) return api.store.pool.connect(...callback); // of a query outside of transactions
      if (left === 0) throw new Error('killed');
      left -= 1;
      return api.store.pool.connect();
    };
    Object.assign(pool, { connect });
    return { ...api.store, pool };
  }

  describe('the upload', () => {
    it('refuses 20 MB and a byte, and leaves nothing', async () => {
      const before = await countRows(api, 'suppression_import_parts');
      assert.deepEqual(await upload(Buffer.alloc(20_000_001, 'a')), {
        status: 413,
        body: { errors: { file: ['is larger than 20 MB'] } },
      });
      assert.equal(await countRows(api, 'suppression_import_parts'), before);
    });

    it('refuses another while one is running, and takes it afterwards', async () => {
      const { body } = await upload('address\na@example.com\n');
      const busy = { status: 409, body: { error: 'An import of this organization is still running' } };
      assert.deepEqual(await upload('address\nb@example.com\n'), busy);
      const other = await api.createTenant();
      assert.equal((await upload('address\n', { headers: asOrganization(other) })).status, 202);
      await runImport(api.store, body.id);
      assert.equal((await upload('address\nb@example.com\n')).status, 202);
    });

    it('is CSV, and JSON is what it answers', async () => {
      const url = '/api/v1/suppressions/imports';
      const notAcceptable = { status: 406, body: { error: 'Invalid request format or content type' } };
      assert.deepEqual(
        await call({ method: 'POST', url, payload: { address: 'a@example.com' } }),
        notAcceptable,
      );
      const csv = { 'content-type': 'text/csv', accept: 'text/csv' };
      assert.deepEqual(
        await call({ method: 'POST', url, payload: 'address\n', headers: csv }),
        notAcceptable,
      );
      const created = await call({
        ...{ method: 'POST', url: '/api/v1/suppressions', payload: 'address\n' },
        headers: { 'content-type': 'text/csv' },
      });
      assert.deepEqual(created, notAcceptable);
    });

    it('stands in the audit log', async () => {
      const { body } = await upload('address\na@example.com\n', { query: `?domain=${tenant.domain}` });
      const { rows } = await api.store.pool.query(
        'select action, subject, subject_id::integer as id, details from audit_entries where organization_id = $1',
        [tenant.organizationId],
      );
      assert.deepEqual(rows, [
        { action: 'suppression.imported', subject: tenant.domain, id: body.id, details: { bytes: 22 } },
      ]);
    });

    it('that broke off is removed after a day, a finished import after thirty', async () => {
      const { id } = await importList('address\na@example.com\n');
      await api.store.pool.query(
        `insert into suppression_imports (organization_id, created_at) values ($1, now() - interval '25 hours')`,
        [tenant.organizationId],
      );
      assert.equal(await reapImports(api.store.pool), 1);
      await api.store.pool.query(
        `update suppression_imports set finished_at = now() - interval '31 days' where id = $1`,
        [id],
      );
      assert.equal(await reapImports(api.store.pool), 1);
    });
  });

  describe('whose it is', () => {
    it("holds for the domain of a domain's token, which sees its own alone", async () => {
      await importList('address\nall@example.com\n');
      const ended = await importList(`address\nown@example.com\n`, { headers: asDomain() });
      assert.equal(ended.domain, tenant.domain);
      assert.match(await exportList('', asDomain()), /^address,[^\n]*\nown@example\.com,[^\n]*\n$/);
    });

    it('AU-9: an import of another organization, or of another domain, is not there', async () => {
      const other = await api.createTenant();
      const { id } = await importList('address\na@example.com\n');
      const url = `/api/v1/suppressions/imports/${id}`;
      const missing = await call({ url: '/api/v1/suppressions/imports/999999' }, asOrganization(other));
      assert.deepEqual(missing, { status: 404, body: { error: 'Not found' } });
      for (const headers of [asOrganization(other), asDomain(other), asDomain()]) {
        assert.deepEqual(await call({ url }, headers), missing);
      }
      const query = `?domain=${tenant.domain}`;
      const foreign = { status: 422, body: { errors: { domain: ['is not a domain of this token'] } } };
      assert.deepEqual(await upload('address\n', { query, headers: asOrganization(other) }), foreign);
      assert.deepEqual(
        await call({ url: `/api/v1/suppressions/export${query}` }, asOrganization(other)),
        foreign,
      );
      assert.equal(await exportList('', asOrganization(other)), EMPTY);
    });
  });

  const EMPTY = 'address,list,domain,stream,reason,note,expires_at,created_at\n';
});

import assert from 'node:assert/strict';
import { compose, deliver, startTestSandbox, type TestSandbox } from './support.ts';

describe('the mailbox over HTTP', () => {
  let sandbox: TestSandbox;

  before(async () => {
    sandbox = await startTestSandbox();
  });
  after(() => sandbox.close());

  const get = (path: string) => fetch(sandbox.url(path));
  const list = async (query = '') => (await (await get(`/messages${query}`)).json()) as { id: string }[];

  it('is healthy when DNS and SMTP answer', async () => {
    const response = await get('/health');
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), {
      status: 'ok',
      service: 'sandbox',
      checks: { dns: 'ok', smtp: 'ok' },
    });
  });

  it('shows a message in the agreed form', async () => {
    const raw = compose({ subject: '=?utf-8?q?Gr=C3=BC=C3=9Fe?=' });
    await deliver(sandbox, { raw, from: 'a@sender.test', to: 'form@example.test' }, { ignoreTLS: true });
    const [message] = await list('?recipient=form@example.test&subject=Gr%C3%BC%C3%9Fe');
    const { id, receivedAt, ...rest } = message as { id: string; receivedAt: string };
    assert.ok(Date.now() - Date.parse(receivedAt) < 10_000);
    assert.deepEqual(rest, {
      envelope: { from: 'a@sender.test', to: ['form@example.test'] },
      subject: 'Grüße',
      authentication: { spf: 'pass', dkim: 'none', dmarc: 'pass' },
      tls: null,
      size: Buffer.byteLength(raw),
    });
    const detail = (await (await get(`/messages/${id}`)).json()) as Record<string, unknown>;
    assert.deepEqual(detail.client, { address: '127.0.0.1', helo: 'postern.test' });
    assert.equal('raw' in detail, false);
  });

  it('gives back every byte as it was sent', async () => {
    const lines = [
      '.',
      '..',
      '.leading dot',
      'trailing space  ',
      `long ${'x'.repeat(3000)}`,
      'ünïcödé 📮',
      '',
    ];
    const raw = compose({ body: `${lines.join('\r\n')}\r\n\r\n\r\n` });
    await deliver(sandbox, { raw, to: 'bytes@example.test' });
    const [message] = await list('?recipient=bytes@example.test');
    const response = await get(`/messages/${message?.id}/raw`);
    assert.equal(response.headers.get('content-type'), 'message/rfc822');
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(raw));
  });

  it('shows hostile mail as text', async () => {
    const attack = `"><script>alert(1)</script>'`;
    const raw = compose({ subject: attack, body: `<img src=x onerror=alert(1)>\r\n` });
    await deliver(sandbox, { raw, to: 'attack@example.test' });
    const [message] = await list('?recipient=attack@example.test');
    for (const path of ['/', `/?recipient=${encodeURIComponent(attack)}`, `/messages/${message?.id}/page`]) {
      const response = await get(path);
      const page = await response.text();
      assert.equal(response.status, 200);
      assert.doesNotMatch(page, /<script|<img/, path);
      assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    }
    assert.match(await (await get('/')).text(), /&lt;script&gt;alert\(1\)&lt;\/script&gt;&#39;/);
  });

  it('answers 404 for a message it does not have', async () => {
    for (const path of ['/messages/none', '/messages/none/raw', '/messages/none/page']) {
      const response = await get(path);
      assert.equal(response.status, 404);
      assert.deepEqual(await response.json(), { error: 'No such message' });
    }
  });

  it('lets a test script the refusals of a recipient', async () => {
    const script = (refusals: unknown) =>
      fetch(sandbox.url('/recipients/scripted@example.test/refusals'), {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(refusals),
      });
    const send = () => deliver(sandbox, { raw: compose(), to: 'Scripted@example.test' });
    const refusals = [
      { code: 450, enhanced: '4.2.1', text: 'Busy' },
      { code: 550, enhanced: '5.2.1', text: 'Disabled' },
    ];
    assert.equal((await script(refusals)).status, 204);
    await assert.rejects(send(), { response: '450 4.2.1 Busy' });
    await assert.rejects(send(), { response: '550 5.2.1 Disabled' });
    assert.match(await send(), /^250 /);
    for (const bad of [{ code: 250 }, { enhanced: '2.0.0' }, { text: 'a\r\nb' }]) {
      assert.equal((await script([{ code: 450, enhanced: '4.0.0', text: 'x', ...bad }])).status, 400);
    }
  });

  it('forgets everything on DELETE', async () => {
    await deliver(sandbox, { raw: compose(), to: 'gone@example.test' });
    assert.notEqual((await list()).length, 0);
    assert.equal((await fetch(sandbox.url('/messages'), { method: 'DELETE' })).status, 204);
    assert.deepEqual(await list(), []);
    assert.deepEqual(await list('?recipient=gone@example.test'), []);
  });
});

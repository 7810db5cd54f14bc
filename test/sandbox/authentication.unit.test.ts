import assert from 'node:assert/strict';
import {
  compose,
  deliver,
  SELECTOR,
  SENDER_DOMAIN,
  sign,
  startTestSandbox,
  type TestSandbox,
} from './support.ts';

describe('the verification of the sandbox', () => {
  let sandbox: TestSandbox;
  let count = 0;

  before(async () => {
    sandbox = await startTestSandbox();
  });
  after(() => sandbox.close());

  async function verdictOf(raw: string, from = `bounces@${SENDER_DOMAIN}`) {
    const to = `verdict+${++count}@example.test`;
    await deliver(sandbox, { raw, to, from });
    const [summary] = (await (
      await fetch(sandbox.url(`/messages?recipient=${encodeURIComponent(to)}`))
    ).json()) as {
      id: string;
      authentication: { spf: string; dkim: string; dmarc: string };
    }[];
    const detail = (await (await fetch(sandbox.url(`/messages/${summary?.id}`))).json()) as {
      signatures: unknown;
    };
    return { ...summary?.authentication, signatures: detail.signatures };
  }

  it('passes a signed message', async () => {
    assert.deepEqual(await verdictOf(await sign(compose())), {
      spf: 'pass',
      dkim: 'pass',
      dmarc: 'pass',
      signatures: [{ domain: SENDER_DOMAIN, selector: SELECTOR, result: 'pass' }],
    });
  });

  it('fails a message that was changed after it was signed', async () => {
    const signed = await sign(compose());
    const body = await verdictOf(signed.replace('Text', 'Test'), 'bounces@other.test');
    assert.deepEqual([body.spf, body.dkim, body.dmarc], ['pass', 'fail', 'fail']);
    assert.equal((await verdictOf(signed.replace('Subject: Hello', 'Subject: Hallo'))).dkim, 'fail');
  });

  it('finds no signature on an unsigned message', async () => {
    const verdict = await verdictOf(compose());
    assert.deepEqual([verdict.spf, verdict.dkim, verdict.dmarc], ['pass', 'none', 'pass']);
  });

  it('does not take a key that is out of reach for one that is not there', async () => {
    assert.equal((await verdictOf(await sign(compose(), 'down'))).dkim, 'temperror');
    assert.notEqual((await verdictOf(await sign(compose(), 'gone'))).dkim, 'temperror');
  });

  it('fails SPF for a sender that authorizes nobody', async () => {
    assert.equal((await verdictOf(compose(), 'a@spf-fail.test')).spf, 'fail');
  });

  it('survives what is no message', async () => {
    for (const raw of ['', '\r\n', ':\r\n:\r\n\r\n', 'From: a@b.test, c@d.test\r\n\r\n', '\0\xff']) {
      assert.equal((await verdictOf(raw)).dkim, 'none', JSON.stringify(raw));
    }
  });
});

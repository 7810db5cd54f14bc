/**
 * Sections 1.1, 1.3 and 1.4 of the contract, row by row: who may send, each answer with its exact body, and
 * idempotency.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { operate } from '../support/domains.ts';
import { listReceived, newRecipient, openSmtp, readMessage, waitForReceived } from '../support/mail.ts';
import { createOrganization, manageOrganizations } from '../support/organizations.ts';
import { stackSettings } from '../support/processes.ts';
import { type RawAnswer, requestRaw } from '../support/raw-request.ts';
import { readStack, type Stack } from '../support/stack.ts';

interface Sender {
  domain: string;
  token: string;
}

const JSON_HEADERS = { Accept: 'application/json', 'Content-Type': 'application/json' };
const INVALID_TO = { errors: { to: ['is invalid'] } };
const BLOCKED_FILE = {
  errors: {
    'attachments.name': ['Extension file type blocked, see Docs for full list of allowed file types'],
  },
};
const NOT_PARSEABLE = { error: 'Email from address not parseable' };
const MISMATCH = { error: 'Verified domain does not match domain in From address of email' };
const NOT_ACCEPTABLE = { error: 'Invalid request format or content type' };

describe('POST /send, answers (contract 1.1, 1.3, 1.4)', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  /** A request that would be taken, changed. @param headers beside those that the contract asks for */
  function post(changes: object = {}, headers: Record<string, string> = {}): Promise<RawAnswer> {
    const body = { from: `s@${stack.domain}`, to: newRecipient(), textbody: 'Hello', ...changes };
    return postAs(JSON_HEADERS, { 'MailPace-Server-Token': stack.token, ...headers }, body);
  }

  function postAs(
    format: Record<string, string>,
    headers: Record<string, string>,
    body: unknown,
  ): Promise<RawAnswer> {
    return requestRaw({
      method: 'POST',
      url: `${stack.api}/api/v1/send`,
      headers: { ...format, ...headers },
      body,
    });
  }

  function sendFrom({ domain, token }: Sender, changes: object = {}): Promise<RawAnswer> {
    return post({ from: `s@${domain}`, ...changes }, { 'MailPace-Server-Token': token });
  }

  const pick = ({ status, body }: RawAnswer) => ({ status, body });

  describe('the token (1.1)', () => {
    for (const name of [
      'MailPace-Server-Token',
      'mailpace-server-token',
      'MAILPACE-SERVER-TOKEN',
      'OhMySMTP-Server-Token',
      'Ohmysmtp-Server-Token',
      'ohmysmtp-server-token',
    ]) {
      it(`in ${name}`, async () => {
        const body = { from: `s@${stack.domain}`, to: newRecipient(), textbody: 'x' };
        const answer = await postAs(JSON_HEADERS, { [name]: stack.token }, body);
        assert.deepEqual(pick(answer), { status: 200, body: { id: answer.body.id, status: 'pending' } });
        assert.ok(Number.isInteger(answer.body.id));
      });
    }

    it('is not taken from Authorization', async () => {
      const answer = await postAs(JSON_HEADERS, { Authorization: `Bearer ${stack.token}` }, {});
      assert.deepEqual(pick(answer), { status: 401, body: { error: 'Missing API Token' } });
    });
  });

  const rows: [
    row: string,
    status: number,
    body: object,
    changes: object,
    headers?: Record<string, string>,
  ][] = [
    ['a token of nobody', 400, { error: 'Invalid API Token' }, {}, { 'MailPace-Server-Token': 'nobody' }],
    ['an empty token', 401, { error: 'Missing API Token' }, {}, { 'MailPace-Server-Token': '' }],
    ['no from', 400, NOT_PARSEABLE, { from: undefined }],
    ['a from without an address', 400, NOT_PARSEABLE, { from: 'Somebody' }],
    ['a from with two addresses', 400, NOT_PARSEABLE, { from: 'a@example.test, b@example.test' }],
    ['a from of another domain', 403, MISMATCH, { from: 'a@example.test' }],
    ['no to', 400, { errors: { to: ['undefined field'] } }, { to: undefined }],
    ['an empty to', 400, { errors: { to: ['undefined field'] } }, { to: '' }],
    ['a to that is no address', 400, INVALID_TO, { to: 'nobody' }],
    ['a to with one that is none', 400, INVALID_TO, { to: 'a@example.test, nobody' }],
    [
      'fifty-one addresses',
      400,
      { errors: { to: ['number of email addresses exceeds maximum volume'] } },
      { to: Array.from({ length: 51 }, (_, index) => `a${index}@example.test`).join(',') },
    ],
    [
      'no body',
      400,
      { errors: { htmlbody: ['undefined field'], textbody: ['undefined field'] } },
      { textbody: undefined },
    ],
    ...['virus.exe', 'image.001.jpeg', 'README', '.png'].map(
      (name) =>
        [
          `a file named ${name}`,
          400,
          BLOCKED_FILE,
          { attachments: [{ name, content: 'eA==', content_type: 'image/png' }] },
        ] as [string, number, object, object],
    ),
    ['Accept: text/html', 406, NOT_ACCEPTABLE, {}, { Accept: 'text/html' }],
    ['Accept: application/json;q=0', 406, NOT_ACCEPTABLE, {}, { Accept: 'application/json;q=0' }],
    ['Content-Type: text/plain', 406, NOT_ACCEPTABLE, {}, { 'Content-Type': 'text/plain' }],
    ['a form', 406, NOT_ACCEPTABLE, {}, { 'Content-Type': 'application/x-www-form-urlencoded' }],
  ];
  describe('refusals (1.3)', () => {
    for (const [row, status, body, changes, headers] of rows) {
      it(`${status} for ${row}`, async () => {
        assert.deepEqual(pick(await post(changes, headers)), { status, body });
      });
    }

    it('401 without a token', async () => {
      const answer = await postAs(JSON_HEADERS, {}, {});
      assert.deepEqual(pick(answer), { status: 401, body: { error: 'Missing API Token' } });
    });

    it('406 without a Content-Type', async () => {
      const answer = await postAs(
        { Accept: 'application/json' },
        { 'MailPace-Server-Token': stack.token },
        '{}',
      );
      assert.deepEqual(pick(answer), { status: 406, body: NOT_ACCEPTABLE });
    });

    it('403 for a subdomain of the own domain in from', async () => {
      const answer = await post({ from: `a@sub.${stack.domain}` });
      assert.deepEqual(pick(answer), { status: 403, body: MISMATCH });
    });

    it('400 for an address on the block list, as after a bounce', async () => {
      const recipient = newRecipient('bounce');
      const headers = { ...JSON_HEADERS, 'MailPace-Server-Token': stack.token };
      const url = `${stack.api}/api/v1/suppressions`;
      await requestRaw({ method: 'POST', url, headers, body: { address: recipient } });

      assert.deepEqual(pick(await post({ to: `${newRecipient()}, ${recipient}` })), {
        status: 400,
        body: { errors: { to: ['contains a blocked address'] } },
      });
    });

    it('403 while the DKIM record was not seen', async () => {
      const name = `unverified-${Date.now()}.test`;
      const headers = { ...JSON_HEADERS, 'MailPace-Organization-Token': stack.organizationToken };
      const url = `${stack.api}/api/v1/domains`;
      await requestRaw({ method: 'POST', url, headers, body: { domain: { url: name } } });
      const { token } = await operate<Sender>('create-token', '--domain', name);

      assert.deepEqual(pick(await sendFrom({ domain: name, token })), {
        status: 403,
        body: { error: 'Domain DKIM DNS not verified, please complete DKIM Verification' },
      });
    });

    it('403 for an organization that is switched off', async () => {
      const sender = await createOrganization(stack);
      await manageOrganizations(stack, 'PUT', `/${sender.organizationId}/suspension`);
      assert.deepEqual(pick(await sendFrom(sender)), {
        status: 403,
        body: { error: 'This organization is unable to send emails. Please contact support' },
      });
      await manageOrganizations(stack, 'PUT', `/${sender.organizationId}/suspension`, { kind: 'no_plan' });
      assert.deepEqual(pick(await sendFrom(sender)), {
        status: 403,
        body: { error: 'The organization that owns this domain does not have an active plan' },
      });
    });

    it('550 over SMTP within a second of that', async () => {
      const sender = await createOrganization(stack);
      const from = `s@${sender.domain}`;
      const mail = { from, to: newRecipient(), text: 'x' };
      const smtp = openSmtp(stack, 'starttls', sender.token);
      await smtp.sendMail(mail); // its credential is in the caches now
      await manageOrganizations(stack, 'PUT', `/${sender.organizationId}/suspension`);
      await sleep(1_000);

      await assert.rejects(smtp.sendMail(mail), { responseCode: 550, message: /unable to send emails/ });
      smtp.close();
    });

    it('429 beyond the rate, with when to come back', async () => {
      const sender = await createOrganization(stack);
      const organization = { messages_per_minute: 1 };
      await manageOrganizations(stack, 'PATCH', `/${sender.organizationId}`, { organization });
      assert.equal((await sendFrom(sender)).status, 200);

      const answer = await sendFrom(sender);
      assert.deepEqual(pick(answer), {
        status: 429,
        body: { error: 'You are sending emails too quickly' },
      });
      assert.match(String(answer.headers['retry-after']), /^\d+$/);
    });
  });

  it('500 without content where the fault is ours: a table is missing', async () => {
    const database = new pg.Client({ connectionString: stackSettings().database.url });
    await database.connect();
    await database.query('alter table templates rename to templates_away');
    try {
      const headers = { ...JSON_HEADERS, 'MailPace-Server-Token': stack.token };
      const body = { from: `s@${stack.domain}`, to: newRecipient(), template: 'any' };
      const response = await fetch(`${stack.api}/api/v1/send`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      assert.deepEqual([response.status, await response.text()], [500, '']);
    } finally {
      await database.query('alter table templates_away rename to templates');
      await database.end();
    }
  });

  describe('what is acceptable (1.1, 8.3)', () => {
    for (const accept of [
      'application/json',
      'application/json; charset=utf-8',
      '*/*',
      'text/html, */*;q=0.1',
      '',
    ]) {
      it(`Accept: ${accept}`, async () => assert.equal((await post({}, { Accept: accept })).status, 200));
    }

    it('no Accept at all', async () => {
      const body = { from: `s@${stack.domain}`, to: newRecipient(), textbody: 'x' };
      const format = { 'Content-Type': 'application/json; charset=utf-8' };
      assert.equal((await postAs(format, { 'MailPace-Server-Token': stack.token }, body)).status, 200);
    });
  });

  describe('Idempotency-Key (1.4)', () => {
    const newKey = () => `key-${Math.random()}`;

    it('ID-1: the same request is answered the same, and sent once', async () => {
      const request = { to: newRecipient(), subject: 'once' };
      const headers = { 'Idempotency-Key': newKey() };
      const first = await post(request, headers);
      const second = await post(request, headers);

      assert.deepEqual(pick(second), pick(first));
      assert.equal(first.status, 200);
      assert.deepEqual(
        [first.headers['idempotent-replayed'], second.headers['idempotent-replayed']],
        [undefined, 'true'],
      );
      await waitForReceived(stack, request.to);
      assert.equal((await listReceived(stack, request.to)).length, 1);
      assert.equal((await readMessage(stack, first.body.id)).recipients.length, 1);
    });

    it('ID-2: another request under the same key is refused', async () => {
      const headers = { 'Idempotency-Key': newKey() };
      await post({ to: 'a@example.test' }, headers);
      assert.deepEqual(pick(await post({ to: 'b@example.test' }, headers)), {
        status: 422,
        body: { error: 'This Idempotency-Key was used for another request' },
      });
    });

    it('ID-3: of ten at the same time one is sent', async () => {
      const request = { to: newRecipient() };
      const headers = { 'Idempotency-Key': newKey() };
      const answers = await Promise.all(Array.from({ length: 10 }, () => post(request, headers)));

      const taken = answers.filter(({ status }) => status === 200);
      const running = { error: 'A request with this Idempotency-Key is still running' };
      assert.equal(new Set(taken.map(({ body }) => body.id)).size, 1);
      for (const answer of answers.filter(({ status }) => status !== 200)) {
        assert.deepEqual(pick(answer), { status: 409, body: running });
      }
      await waitForReceived(stack, request.to);
      assert.equal((await listReceived(stack, request.to)).length, 1);
    });

    it('ID-5: what was refused is not kept', async () => {
      const headers = { 'Idempotency-Key': newKey() };
      assert.equal((await post({ to: 'nobody' }, headers)).status, 400);
      assert.equal((await post({}, headers)).status, 200);
    });

    it('ID-6: keys are of one token', async () => {
      const key = newKey();
      const { token } = await createOrganization(stack);
      const request = { to: newRecipient() };
      const first = await post(request, { 'Idempotency-Key': key });
      const other = await post(request, { 'Idempotency-Key': key, 'MailPace-Server-Token': token });
      assert.deepEqual([first.status, other.status, other.body], [200, 403, MISMATCH]);
    });

    it('ID-7: 255 characters are a key, 256 are none', async () => {
      assert.equal((await post({}, { 'Idempotency-Key': newKey().padEnd(255, 'k') })).status, 200);
      assert.deepEqual(pick(await post({}, { 'Idempotency-Key': newKey().padEnd(256, 'k') })), {
        status: 400,
        body: { error: 'Idempotency-Key must have 1 to 255 printable ASCII characters' },
      });
    });
  });
});

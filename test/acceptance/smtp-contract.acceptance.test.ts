/** Section 4 of the contract, row by row, with clients that nobody here wrote: nodemailer and swaks. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import {
  newRecipient,
  openSmtp,
  readMessage,
  readQueuedId,
  readRaw,
  type SmtpPort,
  waitForReceived,
} from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

const run = promisify(execFile);
const PORTS = ['starttls', 'tls', 'alternative'] satisfies SmtpPort[];

describe('SMTP, contract section 4', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  const swaks = (port: SmtpPort, recipient: string, ...options: string[]) =>
    run('swaks', [
      ...['--server', stack.smtp.host, '--port', String(stack.smtp[port])],
      ...[port === 'tls' ? '--tls-on-connect' : '--tls', '--from', `s@${stack.domain}`, '--to', recipient],
      ...['--auth-user', stack.token, '--auth-password', stack.token, ...options],
    ]);

  /** Sends by nodemailer and answers what arrived. */
  async function deliver(mail: object): Promise<{ id: number; raw: string }> {
    const recipient = newRecipient();
    const smtp = openSmtp(stack);
    const info = await smtp.sendMail({ from: `s@${stack.domain}`, to: recipient, text: 'x', ...mail });
    smtp.close();
    return {
      id: readQueuedId(info.response),
      raw: await readRaw(stack, await waitForReceived(stack, recipient)),
    };
  }

  for (const port of PORTS) {
    for (const method of ['PLAIN', 'LOGIN']) {
      it(`swaks, AUTH ${method}, ${port}`, async function () {
        if (!(await isInstalled('swaks'))) this.skip();
        const recipient = newRecipient();
        const { stdout } = await swaks(port, recipient, '--auth', method);
        assert.match(stdout, /queued as \d+/);
        await waitForReceived(stack, recipient);
      });

      it(`nodemailer, AUTH ${method}, ${port}`, async () => {
        const smtp = openSmtp(stack, port);
        Object.assign(smtp.options, { authMethod: method });
        const info = await smtp.sendMail({ from: `s@${stack.domain}`, to: newRecipient(), text: 'x' });
        smtp.close();
        readQueuedId(info.response);
      });
    }
  }

  it('the user name is the token too', async function () {
    if (!(await isInstalled('swaks'))) this.skip();
    await assert.rejects(swaks('starttls', newRecipient(), '--auth-user', 'somebody'), (error) => {
      assert.match(error instanceof Error && 'stdout' in error ? String(error.stdout) : '', /535 5\.7\.8/);
      return true;
    });
  });

  it('nothing older than TLS 1.2', async function () {
    if (!(await isInstalled('swaks'))) this.skip();
    const { stdout } = await swaks('tls', newRecipient(), '--tls-protocol', 'tlsv1_2');
    assert.match(stdout, /TLSv1\.2/);
    await assert.rejects(swaks('tls', newRecipient(), '--tls-protocol', 'tlsv1_1'));
  });

  for (const name of ['X-MailPace-Tags', 'X-OhMySMTP-Tags', 'X-OMS-Tags']) {
    it(`${name} are the message's tags, and leave no trace in it`, async () => {
      const { id, raw } = await deliver({ headers: { [name]: 'one, größe' } });
      const message = (await readMessage(stack, id)) as object;
      assert.deepEqual('tags' in message && message.tags, ['one', 'größe']);
      assert.doesNotMatch(raw, /-tags:/i);
    });
  }

  for (const [written, tags] of [
    ['one', ['one']],
    ['a, b, c', ['a', 'b', 'c']],
    ['a,b , a', ['a', 'b']],
  ] as const) {
    it(`X-MAILPACE-TAGS: ${written} is ${tags.length} tags`, async () => {
      const { id } = await deliver({ headers: { 'X-MAILPACE-TAGS': { prepared: true, value: written } } });
      const message = (await readMessage(stack, id)) as object;
      assert.deepEqual('tags' in message && message.tags, tags);
    });
  }

  it('X-Postern-Idempotency-Key makes one of two, refuses another under it, and leaves no trace', async () => {
    const [key, to] = [randomUUID(), newRecipient()];
    const smtp = openSmtp(stack);
    const submit = (subject: string) =>
      smtp.sendMail({
        ...{ from: `s@${stack.domain}`, to, subject, text: 'x' },
        headers: { 'X-Postern-Idempotency-Key': key },
      });
    const [first, second] = [await submit('one'), await submit('one')];
    await assert.rejects(submit('two'), /550 5\.6\.0 This X-Postern-Idempotency-Key was used/);
    smtp.close();
    assert.equal(readQueuedId(first.response), readQueuedId(second.response));
    const raw = await readRaw(stack, await waitForReceived(stack, to));
    assert.doesNotMatch(raw, /^x-postern-/im);
  });

  it('X-List-Unsubscribe arrives as List-Unsubscribe', async () => {
    const value = '<https://example.test/u/1>, <mailto:u@example.test>';
    const { raw } = await deliver({ headers: { 'X-List-Unsubscribe': { prepared: true, value } } });
    assert.ok(raw.includes(`\r\nList-Unsubscribe: ${value}\r\n`));
    assert.doesNotMatch(raw, /^x-list/im);
  });

  it('List-Unsubscribe arrives as it is', async () => {
    const value = '<https://example.test/u/2>';
    const { raw } = await deliver({ headers: { 'List-Unsubscribe': { prepared: true, value } } });
    assert.equal(raw.split(`\r\nList-Unsubscribe: ${value}\r\n`).length, 2);
  });

  for (const missing of ['From', 'To']) {
    it(`a message without a ${missing} field is refused`, async () => {
      const fields = [`From: s@${stack.domain}`, `To: ${newRecipient()}`, 'Subject: x'];
      const raw = `${fields.filter((field) => !field.startsWith(missing)).join('\r\n')}\r\n\r\nbody\r\n`;
      const smtp = openSmtp(stack);
      const sent = smtp.sendMail({ envelope: { from: `s@${stack.domain}`, to: newRecipient() }, raw });
      await assert.rejects(sent, new RegExp(`550 5\\.6\\.0 The message has no ${missing} field`));
      smtp.close();
    });
  }

  it('a blind copy is a recipient of the envelope alone', async function () {
    if (!(await isInstalled('swaks'))) this.skip();
    const [to, bcc] = [newRecipient(), newRecipient()];
    await swaks('tls', `${to},${bcc}`, '--h-To', to);
    assert.ok((await readRaw(stack, await waitForReceived(stack, bcc))).includes(`\r\nTo: ${to}\r\n`));
    assert.ok(!(await readRaw(stack, await waitForReceived(stack, to))).includes(bcc));
  });
});

async function isInstalled(program: string): Promise<boolean> {
  return run('sh', ['-c', `command -v ${program}`]).then(
    () => true,
    () => false,
  );
}

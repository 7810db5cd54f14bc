import assert from 'node:assert/strict';
import { Mailbox, type StoredMessage } from '../../sandbox/mailbox.ts';

function message(id: string, to: string[], { subject = 'Hello', bytes = 10 } = {}): StoredMessage {
  return {
    id,
    receivedAt: '2025-08-01T10:00:00.000Z',
    envelope: { from: 'a@sender.test', to },
    subject,
    authentication: { spf: 'pass', dkim: 'pass', dmarc: 'pass' },
    signatures: [],
    tls: null,
    client: { address: '127.0.0.1', helo: 'postern.test' },
    size: bytes,
    raw: Buffer.alloc(bytes),
  };
}

describe('the mailbox of the sandbox', () => {
  const idsOf = (messages: StoredMessage[]) => messages.map(({ id }) => id);

  it('finds by recipient in any case, and by subject, newest last', () => {
    const mailbox = new Mailbox();
    mailbox.add(message('1', ['Anna@Example.test', 'ben@example.test']));
    mailbox.add(message('2', ['ben@example.test'], { subject: 'Other' }));
    assert.deepEqual(idsOf(mailbox.list({ recipient: 'anna@example.TEST' })), ['1']);
    assert.deepEqual(idsOf(mailbox.list({ recipient: 'ben@example.test' })), ['1', '2']);
    assert.deepEqual(idsOf(mailbox.list({ recipient: 'ben@example.test', subject: 'Other' })), ['2']);
    assert.deepEqual(idsOf(mailbox.list()), ['1', '2']);
    assert.deepEqual(mailbox.list({ recipient: 'example.test' }), []);
  });

  it('lists a message once that has a recipient twice', () => {
    const mailbox = new Mailbox();
    mailbox.add(message('1', ['a@example.test', 'A@example.test']));
    assert.deepEqual(idsOf(mailbox.list({ recipient: 'a@example.test' })), ['1']);
  });

  it('finds a domain in A-labels and in U-labels', () => {
    const mailbox = new Mailbox();
    mailbox.add(message('1', ['a@xn--bcher-kva.test']));
    assert.deepEqual(idsOf(mailbox.list({ recipient: 'a@bücher.test' })), ['1']);
  });

  it('drops the oldest over the number of messages, and over their bytes', () => {
    const mailbox = new Mailbox({ maxMessages: 3, maxBytes: 100 });
    for (const id of ['1', '2', '3', '4']) mailbox.add(message(id, ['a@example.test']));
    assert.deepEqual(idsOf(mailbox.list({ recipient: 'a@example.test' })), ['2', '3', '4']);
    mailbox.add(message('5', ['b@example.test'], { bytes: 85 }));
    assert.deepEqual(idsOf(mailbox.list()), ['4', '5']);
    assert.equal(mailbox.find('3'), undefined);
  });

  it('is empty after it was cleared', () => {
    const mailbox = new Mailbox();
    mailbox.add(message('1', ['a@example.test']));
    mailbox.clear();
    assert.deepEqual(
      [mailbox.size, mailbox.list(), mailbox.list({ recipient: 'a@example.test' })],
      [0, [], []],
    );
  });
});

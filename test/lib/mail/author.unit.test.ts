import assert from 'node:assert/strict';
import { findAuthor } from '../../../lib/mail/author.ts';
import { splitMessage } from '../../../lib/mail/header-block.ts';

const authorOf = (...lines: string[]) =>
  findAuthor(splitMessage(Buffer.from(`${lines.join('\r\n')}\r\n\r\nbody\r\n`)).fields);

describe('findAuthor', () => {
  it('finds the one author and all who claim to have sent it', () => {
    assert.deepEqual(
      authorOf(
        'From: "admin@bank.example" <Ann@Example.com>',
        'Sender: bob@example.com',
        'Resent-From: carl@example.com, dora@example.com',
        'Resent-Sender: erik@example.com',
      ),
      {
        ok: true,
        author: 'Ann@example.com',
        senders: ['bob@example.com', 'carl@example.com', 'dora@example.com', 'erik@example.com'],
      },
    );
  });

  it('reads a folded From and encoded names, also those of ISO-2022-JP', () => {
    for (const from of [
      'From:\r\n Ann\r\n\t<ann@example.com>',
      'fRoM: =?utf-8?q?J=C3=BCrg?= <ann@example.com>',
      'From: =?iso-2022-jp?b?GyRCOzNFRBsoQg==?= <ann@example.com>',
      'From: ann@example.com (Ann)',
    ]) {
      assert.deepEqual(authorOf(from), { ok: true, author: 'ann@example.com', senders: [] });
    }
  });

  it('takes a folded h= list of a signature for what it is', () => {
    const result = authorOf(
      'From: a@example.com',
      'DKIM-Signature: v=1; h=date:\r\n\tfrom:to; d=example.com',
    );
    assert.equal(result.ok, true);
  });

  for (const [reason, ...lines] of [
    ['missing_from', 'To: a@example.com'],
    ['missing_from', 'X-From: a@example.com'],
    ['several_from', 'From: a@example.com', 'From: b@bank.example'],
    ['several_from', 'From: a@example.com', 'FROM: a@example.com'],
    ['malformed_header', ' From: b@bank.example', 'From: a@example.com'],
    ['malformed_header', 'Subject: x', ' From: b@bank.example', 'From: a@example.com'],
    ['malformed_header', 'From: a@example.com', 'From : b@bank.example'],
    ['malformed_header', 'From: a@example.com', 'From\t: b@bank.example'],
    ['malformed_header', 'From', ' : b@bank.example', 'From: a@example.com'],
    ['malformed_header', 'From: a@example.com', 'From\u00a0: b@bank.example'],
    ['malformed_header', 'From: a@example.com', 'this is no field'],
    ['malformed_header', 'Subject: x', '  ', 'From: a@example.com'],
    ['invalid_from', 'From:'],
    ['invalid_from', 'From: Ann'],
    ['invalid_from', 'From: a@example.com, b@bank.example'],
    ['invalid_from', 'From: <a@example.com><b@bank.example>'],
    ['invalid_from', 'From: b@bank.example <a@example.com>'],
    ['invalid_from', 'From: friends: a@example.com;'],
    ['invalid_from', 'From: =?utf-8?q?a=40example.com?='],
    ['invalid_from', 'From: =?utf-8?b?YkBiYW5rLmV4YW1wbGU=?=, <a@example.com>'],
    ['invalid_from', 'From: =?utf-8?q?b=40bank.example?=@example.com'],
    ['invalid_from', 'From: =?utf-8?q?b=40bank.example=00?= <a@example.com>'],
    ['invalid_from', 'From: =?utf-8?b?AA==?= <a@example.com>'],
    ['invalid_from', 'From: =?utf-8?q?x=0d=0aBcc:y?= <a@example.com>'],
    ['invalid_from', 'From: a@example.com\0@bank.example'],
    ['invalid_from', 'From: "b@bank.example\\" <a@example.com>'],
    ['invalid_from', 'From: a@example.com (b@bank.example)'],
    ['invalid_from', 'From: <@example.com,@bank.example:b@bank.example>'],
    ['invalid_sender', 'From: a@example.com', 'Sender: a@example.com, b@example.com'],
    ['invalid_sender', 'From: a@example.com', 'Sender: a@example.com', 'Sender: b@example.com'],
    ['invalid_sender', 'From: a@example.com', 'Resent-From: nobody'],
    ['invalid_sender', 'From: a@example.com', 'Resent-Sender:'],
  ] as const) {
    it(`AD-4, HD-5: ${JSON.stringify(lines)} is ${reason}`, () => {
      assert.deepEqual(authorOf(...lines), { ok: false, reason });
    });
  }
});

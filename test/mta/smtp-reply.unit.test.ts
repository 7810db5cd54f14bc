import assert from 'node:assert/strict';
import { findReplyProblem } from '../../mta/smtp-reply.ts';

describe('a reply of a server (OB-6)', () => {
  for (const reply of ['250', '250 ', '250 OK', '571 5.7.1 No', '250-a\n250-b\n250 c', '354-Go\n354 on']) {
    it(`is one: ${JSON.stringify(reply)}`, () => assert.equal(findReplyProblem(reply), undefined));
  }

  for (const [reply, problem] of [
    ['25 OK', /no SMTP reply: "25 OK"/],
    ['000 What', /no SMTP reply/],
    ['999 What', /no SMTP reply/],
    ['150 Wait', /no SMTP reply/],
    ['2500 OK', /no SMTP reply/],
    ['250OK', /no SMTP reply/],
    ['OK', /no SMTP reply/],
    [' 250 OK', /no SMTP reply/],
    ['250-a\nb\n250 c', /no SMTP reply: "b"/],
    ['250-OK\n550 No', /two codes, 250 and 550/],
    ['x'.repeat(10_000), /^no SMTP reply: "x{80}…"$/],
  ] as const) {
    it(`is none: ${JSON.stringify(reply.slice(0, 30))}`, () =>
      assert.match(findReplyProblem(reply) ?? '', problem));
  }
});

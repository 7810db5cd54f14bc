/** Messages as people's programs make them, for the signature: the same ones in each run. */

const FIRST_STATE = 20_261_124;

type Chance = () => number;

/** mulberry32: the same numbers from the same seed */
function createChance(seed: number): Chance {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const froms = [
  'From: a@sender.test',
  'From: "A, B" <a@sender.test>',
  'From: =?utf-8?q?J=C3=B6rg?= <a@sender.test>',
  'From: Jörg <a@sender.test>',
  'From: 日本 <grüße@sender.test>',
  'FROM:a@sender.test',
  'From: A\r\n <a@sender.test>',
];
const others = [
  'Subject: plain',
  'Subject:',
  'Subject:   folded \r\n  and   spaced\t',
  'Subject: Grüße 🎉 ohne Kodierung',
  `Subject: ${'long '.repeat(180)}`,
  'Cc: x@y.test',
  'Cc: z@y.test',
  'Reply-To: a@sender.test',
  'Message-ID: <1@sender.test>',
  'Date: Tue, 24 Nov 2026 12:00:00 +0000',
  'Feedback-ID: 1:2:3:postern',
  'List-Unsubscribe:\r\n <https://sender.test/u/1>',
  'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
  'List-Id: <list.sender.test>',
  'X-Empty:',
  'X-Tab:\tvalue\t \t',
  'Content-Type: text/plain;\r\n\tcharset=utf-8',
  'MIME-Version: 1.0',
  'References: <1@a.test>\r\n <2@a.test>\r\n\t<3@a.test>',
];
const bodyLines = [
  '',
  '',
  ' ',
  '\t ',
  'plain',
  'trailing  \t',
  'two  spaces\tand a tab',
  'Grüße an 日本',
  '.',
  '..dots',
  'From the beginning',
  'x'.repeat(998),
  'long '.repeat(400),
  '=3D=20',
];
/** Bytes that are no UTF-8 */
const LATIN1 = '\xe9t\xe9 \xff\xfe';

/** @returns raw messages, with CRLF, of which every fifth has no body at all */
export function createOddMessages(count: number): { header: Buffer; body: Buffer }[] {
  const chance = createChance(FIRST_STATE);
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(chance() * from.length)];
  return Array.from({ length: count }, (_, index) => {
    const fields = [pick(froms), `To: b${index}@one.test,\r\n\tc@two.test`];
    for (let left = 1 + Math.floor(chance() * 12); left > 0; left -= 1) fields.push(pick(others));
    const lines = Array.from({ length: index % 5 === 0 ? 0 : Math.ceil(chance() * 30) }, () =>
      pick(bodyLines),
    );
    const body = [Buffer.from(lines.map((line) => `${line}\r\n`).join(''))];
    if (index % 7 === 1) body.push(Buffer.from(`${LATIN1}\r\n`, 'latin1'));
    if (index % 11 === 2) body.push(Buffer.from('no line end'));
    const header = fields.toSorted(() => chance() - 0.5).map((field) => `${field}\r\n`);
    return { header: Buffer.from(`${header.join('')}\r\n`), body: Buffer.concat(body) };
  });
}

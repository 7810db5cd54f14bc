import assert from 'node:assert/strict';
import { formatScore, parseScore, readRefusal } from '../../../lib/spam/reply.ts';
import { formatThresholds, judge, parseThresholds } from '../../../lib/spam/score.ts';

describe('score of a check for spam', () => {
  const found = {
    score: 7.1,
    symbols: [
      { name: 'MIME_GOOD', score: -0.1 },
      { name: 'BAD_WORDS', score: 7.2 },
    ],
  };

  it('travels in a reply, the weightiest rules first', () => {
    const reply = `250 Message queued as 1; ${formatScore(found)}`;

    assert.equal(reply, '250 Message queued as 1; spam=7.10 (BAD_WORDS 7.20, MIME_GOOD -0.10)');
    assert.deepEqual(parseScore(reply), { score: 7.1, symbols: found.symbols.toReversed() });
  });

  it('is not found in other replies', () => {
    assert.equal(parseScore('250 Message queued as 1'), undefined);
    assert.equal(readRefusal('550 5.7.1 Refused as spam: spam=x'), undefined);
    assert.equal(readRefusal(`550 5.6.0 No; ${formatScore(found)}`), undefined);
  });

  it('keeps the reply within a line whatever rules there are', () => {
    const symbols = Array.from({ length: 500 }, (_, n) => ({
      name: `RULE_${'X'.repeat(30)}_${n}`,
      score: n,
    }));
    symbols.push({ name: 'not (a, name\r\n250 OK', score: 1_000 });

    const text = formatScore({ score: 1, symbols });

    assert.ok(text.length < 512 - '550 5.7.1 Refused as spam: '.length, `${text.length}`);
    assert.match(text, /^spam=1\.00 \([\w ., -]+\)$/);
  });

  it('says what a refusal means', () => {
    const text = formatScore(found);

    assert.equal(readRefusal(`550 5.7.0 Held for review: ${text}`)?.kind, 'held');
    assert.equal(readRefusal(`550 5.7.1 Refused as spam: ${text}`)?.kind, 'refused');
  });
});

describe('thresholds of spam', () => {
  const thresholds = { mark: 6, hold: 10.5, refuse: 15 };

  it('choose the sternest that applies', () => {
    const actions = [5.99, 6, 10.5, 15].map((score) => judge({ score, symbols: [] }, thresholds));

    assert.deepEqual(actions, ['none', 'mark', 'hold', 'refuse']);
  });

  it('travel to the mta and back', () => {
    assert.deepEqual(parseThresholds(formatThresholds(thresholds)), thresholds);
  });

  for (const text of ['', '6', '6,10', '6,10,', '6,10,x', '1.2.3,4,5', '6,10,15,20']) {
    it(`are not read from "${text}"`, () => assert.equal(parseThresholds(text), undefined));
  }
});

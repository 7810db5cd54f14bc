import assert from 'node:assert/strict';
import { judgeAbuse, type Outcomes } from '../../../api/abuse/judge.ts';
import { createTestSettings } from '../../support/settings.ts';

const { abuse } = createTestSettings();
const NOW = Date.UTC(2027, 0, 31);
const LONG_AGO = new Date(NOW - abuse.graceSeconds * 1000);
const JUST_NOW = new Date(NOW - abuse.graceSeconds * 1000 + 1);
const HOUR: Outcomes = { windowSeconds: 3600, delivered: 1000, bounced: 0, spam: 0, complained: 0 };

describe('judgement of abuse', () => {
  for (const [what, changes, throttledAt, action, reason] of [
    ['nothing is wrong', {}, null, 'none', undefined],
    ['too few to tell', { delivered: 0, bounced: 999 }, null, 'none', undefined],
    [
      'many bounces',
      { delivered: 900, bounced: 100 },
      null,
      'throttle',
      /^bounced: 100 of 1000 .* 1 h \(10 %, limit 10 %\)$/,
    ],
    ['one bounce less', { delivered: 901, bounced: 99 }, null, 'none', undefined],
    ['much spam', { delivered: 980, spam: 20 }, null, 'throttle', /^spam: 20 of 1000/],
    [
      'complaints, of what was delivered',
      { complained: 3 },
      null,
      'throttle',
      /^complaints: 3 of 1000 .*0\.3 %/,
    ],
    ['the worst at first sight', { delivered: 0, spam: 1000 }, null, 'throttle', /^spam: 1000 of 1000/],
    ['the same within the grace', { delivered: 0, spam: 1000 }, JUST_NOW, 'none', undefined],
    ['the same after it', { delivered: 0, spam: 1000 }, LONG_AGO, 'suspend', /^spam: .*limit 10 %/],
    ['still many bounces', { delivered: 900, bounced: 100 }, LONG_AGO, 'none', undefined],
    [
      'suspension by the second cause',
      { delivered: 880, bounced: 120, complained: 9 },
      LONG_AGO,
      'suspend',
      /^complaints: 9 of 880/,
    ],
    ['better again', {}, JUST_NOW, 'recover', undefined],
    ['nothing sent any more', { delivered: 0 }, LONG_AGO, 'recover', undefined],
  ] as const) {
    it(`${what}: ${action}`, () => {
      const judged = judgeAbuse([{ ...HOUR, ...changes }], { throttledAt }, abuse, NOW);
      assert.equal(judged.action, action);
      if (reason) assert.match('reason' in judged ? judged.reason : '', reason);
    });
  }

  it('goes by the window that is worst', () => {
    const day = { ...HOUR, windowSeconds: 86_400, bounced: 500 };
    const judged = judgeAbuse([HOUR, day], { throttledAt: LONG_AGO }, abuse, NOW);
    assert.deepEqual(judged, {
      action: 'suspend',
      reason: 'bounced: 500 of 1500 recipients in 24 h (33.33 %, limit 20 %)',
    });
  });
});

import assert from 'node:assert/strict';
import { countByCause } from '../../../api/addresses/block-metrics.ts';
import { loadRules } from '../../../lib/bounces/rules.ts';

describe('blocks of addresses', () => {
  it('are counted by what the site said', () => {
    const replies = [
      '550 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using Spamhaus',
      '554 5.7.1 Your host is blocked, see our blacklist',
      '450 4.2.0 Greylisted, please try again later',
    ];
    assert.deepEqual(
      countByCause(
        replies.map((reply) => ({ reply })),
        loadRules(),
      ),
      {
        'reputation-ip': 2,
        greylisted: 1,
      },
    );
    assert.deepEqual(countByCause([], loadRules()), {});
  });
});

import assert from 'node:assert/strict';
import type { Diagnosis } from '../../bin/control-api.ts';
import { examine, type Facts } from '../../bin/doctor/examine.ts';

const WELL: Diagnosis = {
  counts: {
    ...{ accepted: 10, delivered: 4, bounced: 1, expired: 1, suppressed: 1, cancelled: 1 },
    ...{ queued: 2, held: 0, drift: 0 },
  },
  oldestDue: { site: 'google', seconds: 3 },
  outbox: { events: 2, oldestSeconds: 1, parked: 0 },
  overduePauses: 0,
  pauses: 1,
  paused: 5,
};

describe('doctor', () => {
  const facts = (changes: Partial<Facts> = {}): Facts => ({
    processes: new Map([['mta', undefined]]),
    servers: new Map([['redis', undefined]]),
    diagnosis: WELL,
    zones: [],
    ...changes,
  });
  const wrong = (changes: Partial<Facts>) => examine(facts(changes)).filter(({ isWell }) => !isWell);

  it('finds nothing where all is well', () => {
    assert.deepEqual(wrong({}), []);
    assert.equal(examine(facts()).length, 9);
  });

  for (const [check, diagnosis] of [
    ['counters', { ...WELL, counts: { ...WELL.counts, drift: -1 } }],
    ['oldest due delivery', { ...WELL, oldestDue: { site: 'google', seconds: 301 } }],
    ['outbox', { ...WELL, outbox: { ...WELL.outbox, oldestSeconds: 61 } }],
    ['parked events', { ...WELL, outbox: { ...WELL.outbox, parked: 1 } }],
    ['held deliveries', { ...WELL, counts: { ...WELL.counts, held: 1 } }],
    ['pauses', { ...WELL, overduePauses: 1 }],
    ['queue', 'the mta does not answer'],
  ] as const) {
    it(`has a remedy for what is wrong with: ${check}`, () => {
      const findings = wrong({ diagnosis });

      assert.deepEqual(
        findings.map((finding) => finding.check),
        [check],
      );
      assert.ok(findings[0]?.remedy);
    });
  }

  it('names the process that is down and the server that does not answer', () => {
    const findings = wrong({
      processes: new Map([['api', 'answers 503']]),
      servers: new Map([['redis', 'It does not answer: refused.']]),
    });

    assert.deepEqual(
      findings.map(({ check, detail }) => `${check}: ${detail}`),
      ['redis: It does not answer: refused.', 'api: answers 503'],
    );
  });
});

import assert from 'node:assert/strict';
import type { Envelope } from '../../lib/mta-types.ts';
import type { VirusFinding } from '../../lib/virus/clamd.ts';
import { readInfection } from '../../lib/virus/reply.ts';
import { createVirusHooks } from '../../plugins/virus.ts';

async function check(answer: VirusFinding | Error, onFailure: 'defer' | 'accept' = 'defer') {
  const events: string[] = [];
  const log = { warn: (_facts: object, event = '') => void events.push(event) };
  const clamd = {
    async check() {
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const { look, decide } = createVirusHooks({ clamd, onFailure, log });
  const envelope = { id: 'q1' } as Envelope;
  look(envelope, Buffer.from('Subject: x\r\n\r\n'));
  await decide(envelope);
  return events;
}

describe('virus plugin', () => {
  it('lets a clean message through', async () => {
    assert.deepEqual(await check({ kind: 'clean' }), []);
  });

  it('refuses what holds a virus, whatever is set for failures, and the api reads the name', async () => {
    for (const onFailure of ['defer', 'accept'] as const) {
      await assert.rejects(check({ kind: 'infected', virus: 'Win.Test.EICAR_HDB-1' }, onFailure), (error) => {
        const { response, action } = error as { response: string; action: string };
        assert.equal(response, '550 5.7.1 The message holds a virus: Win.Test.EICAR_HDB-1');
        assert.equal(action, 'reject');
        assert.equal(readInfection(response), 'Win.Test.EICAR_HDB-1');
        return true;
      });
    }
  });

  it('defers what could not be checked, or sends it, as it is set', async () => {
    await assert.rejects(check(new Error('down')), { response: /^451 4\.3\.0/, action: 'defer' });
    assert.deepEqual(await check(new Error('down'), 'accept'), ['virus.not_checked']);
  });

  it('refuses what is too large for the check, or sends it, as it is set', async () => {
    await assert.rejects(check({ kind: 'too_large' }), { response: /^552 5\.3\.4/, action: 'reject' });
    assert.deepEqual(await check({ kind: 'too_large' }, 'accept'), ['virus.too_large']);
  });

  it('defers a message that it has not seen at all', async () => {
    const clamd = { check: async () => ({ kind: 'clean' }) as const };
    const { decide } = createVirusHooks({ clamd, onFailure: 'defer', log: { warn() {} } });
    await assert.rejects(decide({ id: 'q1' } as Envelope), { response: /^451/ });
  });

  it('takes no other reply for one about a virus', () => {
    assert.equal(readInfection('550 5.7.1 Refused as spam: spam=15.00 (GTUBE 15.00)'), undefined);
    assert.equal(readInfection('451 4.3.0 The message could not be checked for viruses'), undefined);
  });
});

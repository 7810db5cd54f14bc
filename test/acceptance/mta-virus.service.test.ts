/** A real mta beside a real clamd: nothing with a virus gets into the queue. */
import assert from 'node:assert/strict';
import { EICAR, requireClamd, SIGNATURE, startClamd, type TestClamd } from '../support/clamd.ts';
import { handOver } from '../support/intake-session.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';

describe('check for viruses in a running mta', () => {
  let world: MtaWorld;
  let clamd: TestClamd;
  before(async function () {
    requireClamd(this);
    clamd = await startClamd();
    world = await createMtaWorld('mtavirus', {
      sections: { virus: { engine: 'clamd', socket: clamd.socket } },
    });
    await world.mta.start();
  });
  after(async () => {
    await world?.close();
    await clamd?.close();
  });

  const reply = (body: string) => handOver(world.settings, world.newMessage({ body }));
  const long = `${'x'.repeat(76)}\r\n`.repeat(20_000); // longer than what is taken in memory

  it('takes what is clean, short or long', async () => {
    assert.match(await reply('Hello'), /^250/);
    assert.match(await reply(long), /^250/);
  });

  it('refuses what holds a virus, short or long, with its name', async () => {
    const refusal = `550 5.7.1 The message holds a virus: ${SIGNATURE}`;
    assert.equal(await reply(EICAR), refusal);
    assert.equal(await reply(`${long}${EICAR}`), refusal);
  });

  it('puts mail off while clamd is gone', async () => {
    await clamd.stop();
    assert.match(await reply('Hello'), /^451 4\.3\.0/);
  });
});

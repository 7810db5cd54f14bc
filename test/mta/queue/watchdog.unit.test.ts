import assert from 'node:assert/strict';
import { createLogger } from '../../../lib/log.ts';
import { Watchdog, type WatchedZone } from '../../../mta/queue/watchdog.ts';

describe('watchdog', () => {
  let now: number;
  let zone: WatchedZone;
  let isOverdue: boolean;
  let actions: string[];
  let watchdog: Watchdog;
  beforeEach(() => {
    now = 0;
    zone = { name: 'default', demand: 5, active: 0, lastEndedAt: undefined };
    isOverdue = true;
    actions = [];
    watchdog = new Watchdog({
      listZones: () => [zone],
      hasOverdueMail: async () => isOverdue,
      rediscover: async () => void actions.push('rediscovered'),
      replaceSenders: (name) => void actions.push(`replaced senders of ${name}`),
      onStalled: (name, remedy) => void actions.push(`reported ${name} ${remedy}`),
      log: createLogger('test', { level: 'silent' }),
      now: () => now,
    });
  });

  async function lookFor(seconds: number): Promise<void> {
    for (const end = now + seconds * 1000; now < end; ) {
      now += 5_000;
      await watchdog.look();
    }
  }

  const rediscovery = ['reported default rediscover', 'rediscovered'];
  const replacement = ['reported default replace_senders', 'replaced senders of default'];

  it('gives a start thirty seconds', async () => {
    await lookFor(25);
    assert.deepEqual(actions, []);
  });

  it('looks for flows first, and a period later replaces the senders', async () => {
    await lookFor(30);
    assert.deepEqual(actions, rediscovery);
    await lookFor(5);
    assert.deepEqual(actions, [...rediscovery, ...replacement]);
  });

  it('gives new senders a minute, then begins again', async () => {
    await lookFor(35);
    actions.length = 0;
    await lookFor(55);
    assert.deepEqual(actions, []);
    await lookFor(5);
    assert.deepEqual(actions, rediscovery);
  });

  it('is content when looking for flows has helped', async () => {
    await lookFor(30);
    zone = { ...zone, lastEndedAt: now };
    await lookFor(25);
    assert.deepEqual(actions, rediscovery);
  });

  it('takes a second stall for a first one when there was progress in between', async () => {
    await lookFor(30);
    zone = { ...zone, lastEndedAt: now };
    await lookFor(30);
    assert.deepEqual(actions, [...rediscovery, ...rediscovery]);
  });

  it('does not mind a zone whose senders are all busy', async () => {
    zone = { ...zone, demand: 0, active: 20 };
    await lookFor(120);
    assert.deepEqual(actions, []);
  });

  it('minds a zone without any sender', async () => {
    zone = { ...zone, demand: 0, active: 0 };
    await lookFor(30);
    assert.deepEqual(actions, rediscovery);
  });

  it('does not mind a quiet zone with nothing that is overdue', async () => {
    isOverdue = false;
    await lookFor(120);
    assert.deepEqual(actions, []);
  });
});

import assert from 'node:assert/strict';
import { countMessages, planSource } from '../../../bench/world/smtp-source.ts';

const load = { messages: 4000, bodyBytes: 4096, sessions: 20, destinations: 200 };

describe('bench: smtp-source', () => {
  it('is one process with all sessions for one destination', () => {
    const plan = planSource({ ...load, destinations: 1 });
    assert.deepEqual(plan, { processes: 1, sessionsEach: 20, messagesEach: 4000, domains: ['d001.example'] });
    assert.equal(countMessages(plan), 4000);
  });

  it('is as many at a time as there are sessions for several', () => {
    const plan = planSource(load);
    assert.equal(plan.processes * plan.sessionsEach, 20);
    assert.equal(new Set(plan.domains).size, 200);
    assert.equal(countMessages(plan), 4000);
  });

  it('comes back to each destination when there is much to send', () => {
    const plan = planSource({ ...load, messages: 40_000 });
    assert.equal(countMessages(plan), 40_000);
    assert.equal(plan.domains.length, 800);
    assert.equal(plan.domains[0], plan.domains[200]);
  });

  it('sends at least one message to each', () => {
    assert.equal(countMessages(planSource({ ...load, messages: 10 })), 200);
  });
});

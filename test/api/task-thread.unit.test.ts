import assert from 'node:assert/strict';
import { TaskThread } from '../../api/task-thread.ts';
import type { OddTask } from './odd-thread.ts';

describe('TaskThread', function () {
  this.timeout(60_000);
  const thread = new TaskThread<OddTask, string>(new URL('odd-thread.ts', import.meta.url), {
    timeoutMs: 1_000,
    resourceLimits: { maxOldGenerationSizeMb: 32 },
  });
  after(() => thread.close());

  it('does one task after the other', async () => {
    const outcomes = await Promise.all([thread.run('answer'), thread.run('answer')]);
    for (const outcome of outcomes) assert.ok(outcome.state === 'done' && outcome.answer === 'answered');
  });

  it('ends a task that takes too long, while this thread goes on, and then does the next', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    const [late, next] = await Promise.all([thread.run('loop'), thread.run('answer')]);
    clearInterval(timer);
    assert.deepEqual([late.state, next.state], ['late', 'done']);
    assert.ok(turns > 1);
  });

  it('leaves a task alone whose turn comes too late for it, and does the next', async () => {
    const [, busy, next] = await Promise.all([
      thread.run('loop'),
      thread.runWithin(500, 'answer'),
      thread.runWithin(50_000, 'answer'),
    ]);
    assert.deepEqual([busy.state, next.state], ['busy', 'done']);
  });

  it('ends a task that takes too much memory', async () => {
    const roomy = new TaskThread<OddTask, string>(new URL('odd-thread.ts', import.meta.url), {
      timeoutMs: 50_000,
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    });
    assert.equal((await roomy.run('grow')).state, 'too_large');
    assert.equal((await roomy.run('answer')).state, 'done');
    await roomy.close();
  });

  it('throws what the task throws, and does the next', async () => {
    await assert.rejects(thread.run('throw'), /thrown in the thread/);
    assert.equal((await thread.run('answer')).state, 'done');
  });
});

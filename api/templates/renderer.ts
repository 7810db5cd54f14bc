/**
 * Renders templates of strangers in a thread of its own, one at a time. The limits of liquid.ts end most of what is
 * hostile with a good message; whatever gets past them ends here, by the clock or by the memory of the thread, without
 * holding up a request of anybody else. Organizations take turns, so one with slow templates waits for itself.
 */
import type { TemplateContent } from '../models/template.ts';
import { TaskThread } from '../task-thread.ts';
import type { ContentResult, Errors } from './content.ts';
import type { Answer, Task } from './task.ts';

const THREAD = new URL('./thread.ts', import.meta.url);
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };
/** A mail of an ordinary template takes a few; the clock of the machine counts, so there is room for a busy one. */
const MAX_TASK_MS = 1_000;

const TOO_SLOW: Answer = { ok: false, errors: { template: ['takes too long'] } };
const TOO_LARGE: Answer = { ok: false, errors: { template: ['takes too much memory'] } };

export interface TemplateRenderer {
  /** The problems of the texts; undefined when all can be read. */
  check(organizationId: number, content: Partial<TemplateContent>): Promise<Errors | undefined>;
  render(organizationId: number, content: TemplateContent, data: object): Promise<Rendered>;
  close(): Promise<void>;
}

/** `tookMs`: in the thread, without the wait for it. */
export type Rendered = { tookMs: number } & ContentResult;

interface Outcome {
  answer: Answer;
  tookMs: number;
}

interface Job {
  task: Task;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

export function createTemplateRenderer(): TemplateRenderer {
  const queue = new TaskQueue();
  return {
    async check(organizationId, content) {
      const { answer } = await queue.run(organizationId, { kind: 'check', content });
      return answer.ok ? undefined : answer.errors;
    },
    async render(organizationId, content, data) {
      const { answer, tookMs } = await queue.run(organizationId, { kind: 'render', content, data });
      if (!answer.ok) return { ...answer, tookMs };
      if (!answer.content) throw new Error('the thread answered another task');
      return { ok: true, content: answer.content, tookMs };
    },
    close: () => queue.close(),
  };
}

class TaskQueue {
  /** By organization, in the order of their turns. */
  readonly #waiting = new Map<number, Job[]>();
  readonly #thread = new TaskThread<Task, Answer>(THREAD, {
    timeoutMs: MAX_TASK_MS,
    resourceLimits: RESOURCE_LIMITS,
  });
  #isBusy = false;

  run(organizationId: number, task: Task): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const jobs = this.#waiting.get(organizationId) ?? [];
    jobs.push({ task, resolve, reject });
    this.#waiting.set(organizationId, jobs);
    void this.#work();
    return promise;
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let job = this.#takeNext(); job; job = this.#takeNext()) {
      await this.#attend(job);
    }
    this.#isBusy = false;
  }

  async #attend({ task, resolve, reject }: Job): Promise<void> {
    try {
      const outcome = await this.#thread.run(task);
      if (outcome.state === 'done') resolve(outcome);
      else resolve({ answer: outcome.state === 'late' ? TOO_SLOW : TOO_LARGE, tookMs: MAX_TASK_MS });
    } catch (error) {
      reject(error);
    }
  }

  #takeNext(): Job | undefined {
    const [turn] = this.#waiting;
    if (!turn) return undefined;
    const [organizationId, jobs] = turn;
    const job = jobs.shift();
    this.#waiting.delete(organizationId);
    if (jobs.length > 0) this.#waiting.set(organizationId, jobs);
    return job;
  }
}

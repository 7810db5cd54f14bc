/**
 * Renders templates of strangers in a thread of its own, one at a time. The limits of liquid.ts end most of what is
 * hostile with a good message; whatever gets past them ends here, by the clock or by the memory of the thread, without
 * holding up a request of anybody else. Organizations take turns, so one with slow templates waits for itself.
 */
import { Worker } from 'node:worker_threads';
import type { TemplateContent } from '../models/template.ts';
import type { ContentResult, Errors } from './content.ts';
import type { Answer, Task } from './task.ts';

const THREAD = new URL('./thread.ts', import.meta.url);
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };
/** A mail of an ordinary template takes a few; the clock of the machine counts, so there is room for a busy one. */
const MAX_TASK_MS = 1_000;
const MAX_START_MS = 30_000;

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
  #thread: Worker | undefined;
  #isBusy = false;

  run(organizationId: number, task: Task): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const jobs = this.#waiting.get(organizationId) ?? [];
    jobs.push({ task, resolve, reject });
    this.#waiting.set(organizationId, jobs);
    void this.#work();
    return promise;
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
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
      this.#thread ??= await startThread();
      const started = performance.now();
      const answer = await this.#ask(this.#thread, task);
      resolve({ answer, tookMs: performance.now() - started });
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

  async #ask(thread: Worker, task: Task): Promise<Answer> {
    thread.postMessage(task);
    const answer = await waitForMessage<Answer>(thread, MAX_TASK_MS);
    if (answer.state === 'message') return answer.value;
    this.#thread = undefined;
    await thread.terminate();
    if (answer.state === 'late') return TOO_SLOW;
    if (isOutOfMemory(answer.error)) return TOO_LARGE;
    throw answer.error;
  }
}

async function startThread(): Promise<Worker> {
  const thread = new Worker(THREAD, { resourceLimits: RESOURCE_LIMITS });
  const ready = await waitForMessage(thread, MAX_START_MS);
  if (ready.state === 'message') {
    thread.unref(); // an idle one keeps no process alive
    return thread;
  }
  await thread.terminate();
  throw ready.state === 'failed' ? ready.error : new Error('the thread for templates did not start');
}

type Heard<T> = { state: 'message'; value: T } | { state: 'late' } | { state: 'failed'; error: unknown };

/** The next thing that the thread says, or that it did not say anything in time. */
function waitForMessage<T>(thread: Worker, timeoutMs: number): Promise<Heard<T>> {
  const { promise, resolve } = Promise.withResolvers<Heard<T>>();
  const timer = setTimeout(() => resolve({ state: 'late' }), timeoutMs);
  const onMessage = (value: T) => resolve({ state: 'message', value });
  const onError = (error: unknown) => resolve({ state: 'failed', error });
  const onExit = (code: number) =>
    resolve({ state: 'failed', error: new Error(`the thread for templates ended with ${code}`) });
  thread.on('message', onMessage).on('error', onError).on('exit', onExit);
  return promise.finally(() => {
    clearTimeout(timer);
    thread.off('message', onMessage).off('error', onError).off('exit', onExit);
  });
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

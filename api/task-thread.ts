/**
 * A thread that works on what strangers made: whatever is hostile ends there, by the clock or by the memory of the thread,
 * and holds up nobody in this one. It does one task after the other, starts with its first, and is replaced when it had to
 * be ended. Its side of it is serve-tasks.ts.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads';

const MAX_START_MS = 30_000;

export type Outcome<Answer> =
  /** `tookMs`: in the thread, without the wait for it */
  | { state: 'done'; answer: Answer; tookMs: number }
  | { state: 'late' }
  /** It needs more memory than the thread may have. */
  | { state: 'too_large' };

export interface ThreadLimits {
  /** Of one task, by the clock: a busy machine takes longer */
  timeoutMs: number;
  resourceLimits: ResourceLimits;
}

export class TaskThread<Task, Answer> {
  readonly #file: URL;
  readonly #limits: ThreadLimits;
  #thread: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: URL, limits: ThreadLimits) {
    this.#file = file;
    this.#limits = limits;
  }

  /** Behind the tasks that are there already. @throws what the task throws */
  run(task: Task): Promise<Outcome<Answer>> {
    return this.#enqueue(() => this.#ask(task));
  }

  /** As run; `busy`: its turn came later than that, and it was left alone. */
  runWithin(maxWaitMs: number, task: Task): Promise<Outcome<Answer> | { state: 'busy' }> {
    const askedAt = performance.now();
    return this.#enqueue(async () =>
      performance.now() - askedAt > maxWaitMs ? { state: 'busy' } : this.#ask(task),
    );
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined); // the caller's matter
    return result;
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
    this.#thread = undefined;
  }

  async #ask(task: Task): Promise<Outcome<Answer>> {
    this.#thread ??= await this.#start();
    const thread = this.#thread;
    const startedAt = performance.now();
    thread.postMessage(task);
    const heard = await waitForMessage<Answer>(thread, this.#limits.timeoutMs);
    if (heard.state === 'message') {
      return { state: 'done', answer: heard.value, tookMs: performance.now() - startedAt };
    }
    await this.close();
    if (heard.state === 'late') return { state: 'late' };
    if (isOutOfMemory(heard.error)) return { state: 'too_large' };
    throw heard.error;
  }

  async #start(): Promise<Worker> {
    const thread = new Worker(this.#file, { resourceLimits: this.#limits.resourceLimits });
    const ready = await waitForMessage(thread, MAX_START_MS);
    if (ready.state === 'message') {
      thread.unref(); // an idle one keeps no process alive
      return thread;
    }
    await thread.terminate();
    throw ready.state === 'failed' ? ready.error : new Error(`${this.#file} did not start`);
  }
}

type Heard<T> = { state: 'message'; value: T } | { state: 'late' } | { state: 'failed'; error: unknown };

/** The next thing that the thread says, or that it did not say anything in time. */
function waitForMessage<T>(thread: Worker, timeoutMs: number): Promise<Heard<T>> {
  const { promise, resolve } = Promise.withResolvers<Heard<T>>();
  const timer = setTimeout(() => resolve({ state: 'late' }), timeoutMs);
  const onMessage = (value: T) => resolve({ state: 'message', value });
  const onError = (error: unknown) => resolve({ state: 'failed', error });
  const onExit = (code: number) =>
    resolve({ state: 'failed', error: new Error(`the thread ended with ${code}`) });
  thread.on('message', onMessage).on('error', onError).on('exit', onExit);
  return promise.finally(() => {
    clearTimeout(timer);
    thread.off('message', onMessage).off('error', onError).off('exit', onExit);
  });
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

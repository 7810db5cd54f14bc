/** The steps of bin/up as people see them: one line each, with its time. */

/** An expected failure: its message says what is wrong and what to do, and is shown without a stack. */
export class StepFailure extends Error {}

export interface Steps {
  /** Runs one step and prints `✓ name` or `✗ name`; passes on what the action returns or throws. */
  run<T>(name: string, action: () => Promise<T> | T): Promise<T>;
  /** A line below the current step. */
  note(text: string): void;
  /** Aborted when the run is to end early. Every wait of a step ends with it, and no further step begins. */
  signal: AbortSignal;
}

export function createSteps(write: (line: string) => void, signal: AbortSignal): Steps {
  return {
    signal,
    async run(name, action) {
      signal.throwIfAborted();
      const startedAt = performance.now();
      const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
      try {
        const result = await action();
        write(`✓ ${name.padEnd(44)} ${seconds().padStart(7)}`);
        return result;
      } catch (error) {
        write(`✗ ${name.padEnd(44)} ${seconds().padStart(7)}`);
        throw error;
      }
    },
    note: (text) => write(`  ${text}`),
  };
}

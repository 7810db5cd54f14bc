/** The line that says what is going on and how long it will take. On a terminal it replaces itself. */

export interface Progress {
  /** The next of all steps begins. */
  step(text: string): void;
  /** Makes room for something else. */
  clear(): void;
}

export function createProgress(steps: number, estimateSeconds: number, stream = process.stderr): Progress {
  const startedAt = performance.now();
  let done = -1;
  return {
    step(text) {
      done++;
      const elapsed = (performance.now() - startedAt) / 1000;
      const total = done > 0 ? (elapsed / done) * steps : estimateSeconds;
      const line = `[${done + 1}/${steps}] ${text}; about ${formatDuration(total - elapsed)} left`;
      stream.write(stream.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    },
    clear() {
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}

/** `40 s`, `12 min` */
export function formatDuration(seconds: number): string {
  return seconds < 90 ? `${Math.max(0, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
}

/** Ctrl-C, a stop by another program, or a closed terminal, as an abort signal: what was begun is undone first. */
import { StepFailure } from './steps.ts';

/** The second one of a kind ends the process at once, as it would without this. */
export function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => controller.abort(new StepFailure(`interrupted by ${name}`)));
  }
  return controller.signal;
}

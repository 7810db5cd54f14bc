/** What the benchmarks need of a mail server under test. */
import type { ProcessFacts } from '../measure/processes.ts';

export interface MailServer {
  name: 'postern' | 'postfix';
  /** SMTP, on loopback, without authentication. */
  intakePort: number;
  /** Resolves when it takes mail. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Its processes now, by what they do. Empty while it does not run. */
  listProcesses(): Record<string, ProcessFacts[]>;
  /** How many deliveries it has reported to whoever keeps track of them. */
  countReported(): number;
  /** What follows delivery is done, for so many deliveries since the first start. */
  settle(reported: number): Promise<void>;
}

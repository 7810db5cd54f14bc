/** What the benchmarks need of a mail server under test. */
export interface MailServer {
  name: 'postern' | 'postfix';
  /** SMTP, on loopback, without authentication. */
  intakePort: number;
  /** Resolves when it takes mail. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** CPU seconds used since its start, by process. */
  readCpuSeconds(): Record<string, number>;
  /** Everything about `messages` messages since its start is done, also what follows delivery. */
  settle(messages: number): Promise<void>;
}

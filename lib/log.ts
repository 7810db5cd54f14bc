/** One logger a process: JSON lines on stdout, collected by pm2. Secrets never reach it (AU-7). */
import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const SECRET_FIELDS = ['token', 'password', 'authorization', 'privateKey', 'secret'];

export function createLogger(service: string, { level }: { level: string }): Logger {
  return pino({
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '********' },
  });
}

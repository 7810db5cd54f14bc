/**
 * In place of npmlog, which ZoneMTA logs with: it formats every line before it looks whether anybody wants it, keeps the
 * last ten thousand in memory, and writes coloured text. Ours writes what is wanted as JSON, like every other process.
 *
 * Levels are a step lower than ZoneMTA means them. What it calls info is a line for each step of each delivery, and its
 * errors are those of remote hosts; both stand on the timeline. A delivery's outcome is logged by the exchange.
 */
import { format } from 'node:util';
import { loadSettings } from '../config/load.ts';
import { createLogger } from '../lib/log.ts';

type Write = (prefix: string, message: unknown, ...parameters: unknown[]) => void;

/** The same lines for Graylog, as JSON within text. */
const DUPLICATED = 'Gelf';

const logger = createLogger('mta', loadSettings().log);

function writer(level: 'trace' | 'debug' | 'info' | 'warn'): Write {
  if (!logger.isLevelEnabled(level)) return () => {};
  return (prefix, message, ...parameters) => {
    if (prefix !== DUPLICATED) logger[level]({ part: prefix }, format(message, ...parameters));
  };
}

const log = {
  level: '',
  silly: writer('trace'),
  verbose: writer('trace'),
  http: writer('trace'),
  info: writer('debug'),
  notice: writer('info'),
  warn: writer('info'),
  error: writer('info'),
};

export { log as 'module.exports' };

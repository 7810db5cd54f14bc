/** What the queue's modules share in one process of the mta: settings, log, pool. Made at first use. */
import type pg from 'pg';
import { loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { createLogger, type Logger } from '../../lib/log.ts';
import { pluginHandler } from '../zone-mta.ts';
import { createPool } from './database.ts';

export interface QueueContext {
  settings: Settings;
  log: Logger;
  pool: pg.Pool;
}

/**
 * A client of the intake waits for each statement of a receiver. With the time that a new connection may take, and the
 * statement before it in the group, it has its 451 within ten seconds when the database does not answer.
 */
const RECEIVER_TIMEOUT_MS = 4_000;

let context: QueueContext | undefined;

export function queueContext(): QueueContext {
  context ??= createContext();
  return context;
}

function createContext(): QueueContext {
  const settings = loadSettings();
  const log = createLogger('mta', settings.log);
  const pool = createPool({
    url: settings.queue.url,
    maxConnections: settings.queue.maxConnections,
    applicationName: `postern-mta-${settings.instanceId}`,
    ...(pluginHandler().context === 'receiver' && { statementTimeoutMs: RECEIVER_TIMEOUT_MS }),
  });
  return { settings, log, pool };
}

import { PgBoss } from 'pg-boss';
import type { Logger } from '../../lib/log.ts';
import type { Pool } from '../database.ts';

/** pg-boss for a process that only creates jobs: on our own pool, without timers, upkeep or a schema of its own making. */
export async function createProducer(pool: Pool, log: Logger): Promise<PgBoss> {
  const boss = new PgBoss({
    db: { executeSql: (text, values) => pool.query(text, values) },
    supervise: false,
    schedule: false,
    migrate: false,
    createSchema: false,
    registerInstance: false,
  });
  boss.on('error', (error) => log.error({ err: error }, 'jobs.failed'));
  await boss.start({ attempts: 5 });
  return boss;
}

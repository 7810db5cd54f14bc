/** Runs ZoneMTA's master in this process, with the queue on Postgres, our plugins, control, health and metrics. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Settings } from '../config/schema.ts';
import { createLogger } from '../lib/log.ts';
import { startControl } from './control/server.ts';
import { startZoneMta } from './zone-mta.ts';

/**
 * Once a process: ZoneMTA reads its configuration when it is loaded.
 * @param config ZoneMTA's own (createZoneMtaConfig)
 */
export async function runMta(settings: Settings, config: object): Promise<void> {
  const log = createLogger('mta', settings.log);
  // Before ZoneMTA's own handler, which would go on for ten seconds: who knows with what.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: error }, 'process.crashed');
      process.exit(1);
    });
  }
  process.on('SIGQUIT', () => process.emit('SIGTERM'));

  const preload = join(import.meta.dirname, 'preload.ts');
  process.env.NODE_CONFIG_PATH = writeConfig(settings.directory, config);
  process.env.NODE_OPTIONS =
    `${process.env.NODE_OPTIONS ?? ''} --import=${pathToFileURL(preload).href}`.trim();
  process.env.POSTERN_QUEUE_BACKEND = settings.queue.backend;

  await import('./preload.ts');
  await startControl(settings, log);
  startZoneMta();
}

/** The children read it as well. */
function writeConfig(installation: string, config: object): string {
  const directory = join(installation, 'mta');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'zone-mta.json');
  writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
  return file;
}

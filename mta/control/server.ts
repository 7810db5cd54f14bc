/** The control port of the mta's master: control, health and metrics, on loopback. */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { createMonitoring } from '../monitor.ts';
import { runningQueue } from '../queue/running-queue.ts';
import { sendingZones } from '../zone-mta.ts';
import { createControlApp } from './app.ts';

const LOOPBACK = '127.0.0.1';

export async function startControl(settings: Settings, log: Logger): Promise<void> {
  const app = await createControlApp({
    ...createMonitoring(settings),
    serviceToken: settings.secrets.serviceToken,
    findQueue: runningQueue,
    listZones: () => sendingZones().map(({ name }) => name),
    log,
  });
  await app.listen({ host: LOOPBACK, port: settings.mta.controlPort });
}

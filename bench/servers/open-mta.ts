/**
 * The mta as mta/start.ts runs it, but for its intake: `smtp-source` is let in without authentication
 * (intake-plugin.ts). Started by the benchmarks alone, on loopback.
 */
import { join } from 'node:path';
import { loadSettings } from '../../config/load.ts';
import { runMta } from '../../mta/run.ts';
import { createZoneMtaConfig } from '../../mta/settings.ts';

const settings = loadSettings();
const config = createZoneMtaConfig(settings);
const { intake } = config.smtpInterfaces;

await runMta(settings, {
  ...config,
  smtpInterfaces: { ...config.smtpInterfaces, intake: { ...intake, authentication: false } },
  plugins: {
    ...config.plugins,
    [join(config.pluginsPath, 'intake.ts')]: { enabled: false },
    [join(import.meta.dirname, 'intake-plugin.ts')]: { enabled: ['receiver'], ordering: 1 },
  },
});

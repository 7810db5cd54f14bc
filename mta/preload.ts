/**
 * Loaded into ZoneMTA's master and, by NODE_OPTIONS, into all its children before anything else: answers the four
 * modules of its queue with ours. The package itself stays as it came from npm.
 */
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const REPLACED = ['mail-queue', 'remote-queue', 'db', 'connection-pool'];

const replacements = new Map(
  REPLACED.map((name) => [
    `/@zone-eu/zone-mta/lib/${name}.js`,
    pathToFileURL(join(import.meta.dirname, 'queue', `${name}.ts`)).href,
  ]),
);

if (process.env.POSTERN_QUEUE_BACKEND !== 'mongodb') {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const suffix = /\/@zone-eu\/zone-mta\/lib\/[a-z-]+\.js$/.exec(resolved.url)?.[0];
      const url = suffix === undefined ? undefined : replacements.get(suffix);
      return url === undefined ? resolved : { url, format: 'module-typescript', shortCircuit: true };
    },
  });
}

// ZoneMTA documents SIGHUP as "reload" and has no handler for it: the default would end the process.
process.on('SIGHUP', () => process.stderr.write('SIGHUP ignored: restart to read the configuration again\n'));

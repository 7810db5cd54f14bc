/**
 * Loaded into ZoneMTA's master and, by NODE_OPTIONS, into all its children before anything else: answers the six
 * modules that its queue consists of, its log, its way to an MX host and its SMTP connection with ours. The packages
 * stay as they came from npm.
 */
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const REPLACED = ['mail-queue', 'remote-queue', 'db', 'connection-pool', 'sender', 'mail-drop'];

const replacements = new Map<string, string>([
  ...REPLACED.map((name): [string, string] => [
    `/@zone-eu/zone-mta/lib/${name}.js`,
    locate('queue', `${name}.ts`),
  ]),
  ['/npmlog/lib/log.js', locate('npmlog.ts')],
  ['/mx-connect/lib/mx-connect.js', locate('mx-connect.ts')],
  ['/nodemailer/dist/cjs/smtp-connection/index.js', locate('smtp-connection.ts')],
]);
/** Of the modules that are replaced, from where they are recognizable. */
const REPLACEABLE =
  /\/(?:@zone-eu\/zone-mta\/lib|npmlog\/lib|mx-connect\/lib|nodemailer\/dist\/cjs\/smtp-connection)\/[a-z-]+\.js$/;

function locate(...path: string[]): string {
  return pathToFileURL(join(import.meta.dirname, ...path)).href;
}

/** Asks for ZoneMTA's own module where ours builds on it. */
const ORIGINAL = '?original';

if (process.env.POSTERN_QUEUE_BACKEND !== 'mongodb') {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier.endsWith(ORIGINAL)) return nextResolve(specifier.slice(0, -ORIGINAL.length), context);
      const resolved = nextResolve(specifier, context);
      const suffix = REPLACEABLE.exec(resolved.url)?.[0];
      const url = suffix === undefined ? undefined : replacements.get(suffix);
      return url === undefined ? resolved : { url, format: 'module-typescript', shortCircuit: true };
    },
  });
}

// ZoneMTA documents SIGHUP as "reload" and has no handler for it: the default would end the process.
process.on('SIGHUP', () => process.stderr.write('SIGHUP ignored: restart to read the configuration again\n'));

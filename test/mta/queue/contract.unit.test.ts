/**
 * Our stand-ins for ZoneMTA's queue modules answer every method that ZoneMTA's own have, with no fewer arguments:
 * an upgrade of ZoneMTA that adds one fails here, not in production.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

/** Methods that only ZoneMTA's own MailQueue calls, or that a MongoDB queue alone needs. */
const INTERNAL: Record<string, string[]> = {
  'mail-queue': [
    'releaseDeliveryAsync',
    'clearGarbage',
    'checkGarbage',
    'queueCounterUpdate',
    'startPeriodicCheck',
    'stopPeriodicCheck',
  ],
  'remote-queue': [],
  'connection-pool': [],
};

/** In a process of its own: the modules connect and load plugins when they are used for real. */
function methodsOf(module: string, options: { isOurs: boolean }): Record<string, number> {
  const script = `
    const Class = require('@zone-eu/zone-mta/lib/${module}');
    const own = Object.getOwnPropertyDescriptors(Class.prototype);
    const methods = Object.entries(own).filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function');
    process.stdout.write('METHODS' + JSON.stringify(Object.fromEntries(methods.map(([name, { value }]) => [name, value.length]))));
    process.exit(0);`;
  const preload = options.isOurs ? ['--import', join(ROOT, 'mta/preload.ts')] : [];
  const output = execFileSync(process.execPath, [...preload, '-e', script], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, NODE_CONFIG_DIR: join(ROOT, 'node_modules/@zone-eu/zone-mta/config') },
  });
  return JSON.parse(output.slice(output.indexOf('METHODS') + 'METHODS'.length));
}

describe("the contract with ZoneMTA's queue", () => {
  for (const module of Object.keys(INTERNAL)) {
    it(`${module} has every method, with every argument`, () => {
      const theirs = methodsOf(module, { isOurs: false });
      const ours = methodsOf(module, { isOurs: true });

      assert.ok(Object.keys(theirs).length > 0);
      for (const [name, length] of Object.entries(theirs)) {
        if (INTERNAL[module]?.includes(name)) continue;
        assert.ok(name in ours, `${name} is missing`);
        assert.ok(
          (ours[name] ?? 0) >= length,
          `${name} takes ${ours[name]} arguments, ZoneMTA's takes ${length}`,
        );
      }
    });
  }
});

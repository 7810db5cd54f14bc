/**
 * Stands in for plugins/intake.ts, for `smtp-source`: it can neither authenticate nor say which message of the api
 * it hands over. Every message gets a number of its own.
 */
import type { Plugin } from '../../lib/mta-types.ts';
import { guard, pluginContext } from '../../lib/plugin.ts';
import { prepareIntake } from '../../lib/smtp-intake.ts';
import { SENDER_DOMAIN } from '../world/names.ts';

export const title = 'bench-intake';

export async function init(plugin: Plugin): Promise<void> {
  let number = Date.now() * 100; // above those of an earlier start, below 2^48 (lib/return-path.ts)
  plugin.addHook('smtp:init', guard('smtp:init', pluginContext().log, prepareIntake));
  plugin.addHook(
    'message:headers',
    guard('message:headers', pluginContext().log, (envelope) => {
      envelope.postern = {
        messageId: ++number,
        organizationId: 1,
        domain: SENDER_DOMAIN,
        listsReadAt: Date.now(), // as the worker has, just before
      };
    }),
  );
}

/**
 * virus: shows every message to clamd before the worker gets its 250.
 *
 * What holds a virus is refused (550 5.7.1); the api ends it as `spam`, with the signature's name on the timeline. Neither
 * a release from review nor an organization's scores change that. What is longer than clamd takes is refused as well
 * (552 5.3.4), and held by the api, unless unchecked mail is accepted.
 *
 * Trusts: clamd. Settings: virus.
 */
import type { Readable } from 'node:stream';
import { ContentChecks } from '../lib/content-check.ts';
import type { Logger } from '../lib/log.ts';
import type { Envelope, Plugin } from '../lib/mta-types.ts';
import { guard, HookRefusal, pluginContext } from '../lib/plugin.ts';
import { type Clamd, createClamd, type VirusFinding } from '../lib/virus/clamd.ts';
import { infected } from '../lib/virus/reply.ts';

export const title = 'virus';

export const replies = {
  infected,
  tooLarge: { code: 552, enhanced: '5.3.4', text: 'The message is too large to be checked for viruses' },
  notChecked: { code: 451, enhanced: '4.3.0', text: 'The message could not be checked for viruses' },
} as const;

export interface VirusCheck {
  clamd: Clamd;
  onFailure: 'defer' | 'accept';
  log: Pick<Logger, 'warn'>;
}

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const { onFailure } = settings.virus;
  const { look, decide } = createVirusHooks({ clamd: createClamd(settings.virus), onFailure, log });
  plugin.addHook('message:content', guard('message:content', log, look));
  plugin.addHook('message:queue', guard('message:queue', log, decide));
}

/** The two hooks of a message: `look` starts the check while the message comes in, `decide` waits for its result. */
export function createVirusHooks({ clamd, onFailure, log }: VirusCheck) {
  const checks = new ContentChecks<VirusFinding>();

  function look(envelope: Envelope, content: Buffer | Readable): void {
    checks.start(envelope, content, (rest) => clamd.check(rest));
  }

  async function decide(envelope: Envelope): Promise<void> {
    const result = await checks.result(envelope);
    const messageId = envelope.postern?.messageId;
    if (!result.ok) {
      log.warn({ err: result.error, messageId }, 'virus.not_checked');
      if (onFailure === 'defer') throw new HookRefusal(replies.notChecked);
      return;
    }
    const { finding } = result;
    if (finding.kind === 'infected') {
      throw new HookRefusal({ ...replies.infected, text: `${replies.infected.text} ${finding.virus}` });
    }
    if (finding.kind === 'too_large') {
      log.warn({ messageId }, 'virus.too_large');
      if (onFailure === 'defer') throw new HookRefusal(replies.tooLarge);
    }
  }

  return { look, decide };
}

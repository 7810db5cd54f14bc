/**
 * spam: asks rspamd about every message before the worker gets its 250.
 *
 * The thresholds of the message's organization come with it from the worker. Above them the message is marked with
 * `X-Spam: Yes`, refused as one that somebody has to look at (550 5.7.0), or refused as spam (550 5.7.1); the api turns
 * these into its states. Score and rules travel in the reply, and so onto the message's timeline. Somebody who released
 * a held message has decided: it comes without thresholds and is not asked about again.
 *
 * Trusts: the worker's word about thresholds and releases.
 * Settings: spam.url, spam.onFailure.
 */
import type { Readable } from 'node:stream';
import { ContentChecks } from '../lib/content-check.ts';
import type { Logger } from '../lib/log.ts';
import type { Envelope, Plugin } from '../lib/mta-types.ts';
import { guard, HookRefusal, pluginContext } from '../lib/plugin.ts';
import { formatScore, spamReplies } from '../lib/spam/reply.ts';
import { createRspamd, type Rspamd } from '../lib/spam/rspamd.ts';
import { judge, type SpamScore } from '../lib/spam/score.ts';

export const title = 'spam';

export const replies = {
  ...spamReplies,
  notChecked: { code: 451, enhanced: '4.3.0', text: 'The message could not be checked for spam' },
} as const;

export interface SpamCheck {
  rspamd: Rspamd;
  onFailure: 'defer' | 'accept';
  log: Pick<Logger, 'warn'>;
}

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const { url, onFailure } = settings.spam;
  const { look, decide } = createSpamHooks({ rspamd: createRspamd(url), onFailure, log });
  plugin.addHook('message:content', guard('message:content', log, look));
  plugin.addHook('message:queue', guard('message:queue', log, decide));
}

/** The two hooks of a message: `look` starts the check while the message comes in, `decide` waits for its result. */
export function createSpamHooks({ rspamd, onFailure, log }: SpamCheck) {
  const checks = new ContentChecks<SpamScore>();

  function look(envelope: Envelope, content: Buffer | Readable): void {
    const { id: queueId, from, to, postern } = envelope;
    if (postern && !postern.spamThresholds) return; // it was released; of a long message that is not known yet
    checks.start(envelope, content, (rest) => rspamd.check(rest, { from, to, queueId }));
  }

  async function decide(envelope: Envelope): Promise<void> {
    const thresholds = envelope.postern?.spamThresholds;
    if (!thresholds) return;
    const result = await checks.result(envelope);
    if (!result.ok) {
      log.warn({ err: result.error, messageId: envelope.postern?.messageId }, 'spam.not_checked');
      if (onFailure === 'defer') throw new HookRefusal(replies.notChecked);
      return;
    }
    const action = judge(result.finding, thresholds);
    const note = formatScore(result.finding);
    if (action === 'refuse') throw refusal(replies.refused, note);
    if (action === 'hold') throw refusal(replies.held, note);
    if (action === 'mark') envelope.headers.addFormatted('x-spam', 'X-Spam: Yes', 0);
    envelope.replyNote = note;
  }

  return { look, decide };
}

function refusal(reply: (typeof replies)['held' | 'refused'], note: string): HookRefusal {
  return new HookRefusal({ ...reply, text: `${reply.text} ${note}` });
}

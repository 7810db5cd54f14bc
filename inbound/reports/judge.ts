/** What a bounce means for its recipient. */
import { classifyReply, type Verdict } from '../../lib/bounces/classify.ts';
import { parseReply } from '../../lib/bounces/reply.ts';
import type { RuleFile } from '../../lib/bounces/rules.ts';
import type { RecipientReport } from './report.ts';

/** As Postfix, Exim and others tell that it was the message that was refused, not the recipient. */
const AFTER_DATA = /(?:in reply to|after) (?:end of )?data|command:? data/i;

/**
 * The server's own words decide; where they say nothing, the prose; where that says nothing, the status. The prose can
 * only soften: an address is given up only where nothing speaks for it.
 */
export function judgeRecipient(files: readonly RuleFile[], report: RecipientReport): Verdict {
  const { diagnostic, prose, status, mx } = report;
  const classify = (text: string) => {
    const reply = parseReply(text);
    return classifyReply(files, { ...reply, status: reply.status ?? status }, mx);
  };
  const stage = AFTER_DATA.test(prose) ? ' (in reply to end of DATA command)' : '';
  const told = prose === '' ? undefined : classify(prose);
  if (diagnostic === '') return told ?? classify('');
  const said = classify(`${diagnostic}${stage}`);
  if (!told || told.class === 'other') return said;
  const isSoftened = said.isHard && told.basis === 'words' && SOFTENING.has(told.class);
  return said.basis !== 'words' || isSoftened ? told : said;
}

const SOFTENING = new Set<string>(['mailbox-full', 'mailbox-inactive', 'content-spam', 'greylisted']);

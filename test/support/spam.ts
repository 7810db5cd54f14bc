/** What tests of checks for spam need: a rspamd beside the stack, and a message that every filter takes for spam. */
import type { Context } from 'mocha';
import { stackSettings } from './processes.ts';

/** https://spamassassin.apache.org/gtube/ */
export const GTUBE = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';

/** Skips, with the reason, where Debian's package could not be installed (test/support/run.ts). */
export function requireRspamd(context: Context): void {
  if (stackSettings().spam.engine !== 'none') return;
  console.log('    skipped: rspamd is not installed');
  context.skip();
}

/**
 * The prose of a bounce, for servers that say in words alone whom they could not reach and why: qmail, Exim, DragonFly,
 * old Exchange and the like. What follows the words and quotes the message is cut off first.
 */
import type { RecipientReport } from './report.ts';

/** Begins a line after which the message is quoted; some of these words do so only behind dashes. */
const QUOTE =
  /^[ \t>*]*(?:-+[ \t]*(?:this is a copy|original|the header|headers of|returned|the following message)|-*[ \t]*(?:below this line|message headers? follow|unsent message|message header|(?:your|the) (?:original|unsent) message (?:is|follows|headers)|included is a copy|copy of (?:the|your) (?:original )?message|a copy of the (?:original|message)|received: (?:from|by) |return-path: |the first \d+ lines))/i;

/** An address at the beginning of a line. */
const ADDRESS = /^["'(<[]?([\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9][a-z0-9.-]*[a-z0-9])/i;
/** The look-behind keeps a long word from being tried at each of its letters. */
const ADDRESSES = /(?<![\w.+-])[\w.+-]{1,64}@[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+/gi;
const MAX_SEARCHED = 20_000;
const REPLY = /(?<![\d.])[245][0-5]\d[ -](?:\d\.\d{1,3}\.\d{1,3})?|(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![.\d])/;
const DELAY =
  /will (?:continue|keep|be retried|retry)|has not yet been delivered|no action is required|still (?:being )?(?:trying|retried)|this is a warning|warning message only|do(?:es)? not need to resend/i;
/** What a server has to say is shorter; the rest of a hostile mail is not looked at. */
const MAX_LINES = 2_000;
const MAX_LINE_LENGTH = 1_000;

/** @returns one report for each address that has a reason after it; one without address where only a reason is found */
export function readProse(text: string): RecipientReport[] {
  const words = cutQuote(text);
  const outcome = DELAY.test(words) ? 'delayed' : 'failed';
  const found = readBlocks(words);
  if (found.length > 0) return found.map((block) => ({ ...block, outcome }));
  if (words.trim() === '') return [];
  return [
    {
      address: undefined,
      outcome,
      status: statusOf(words),
      mx: undefined,
      diagnostic: '',
      prose: words.trim(),
    },
  ];
}

/** What comes before the quoted message. */
export function cutQuote(text: string): string {
  const lines = text.split(/\r\n?|\n/, MAX_LINES).map((line) => line.slice(0, MAX_LINE_LENGTH));
  const quote = lines.findIndex((line, index) => index > 0 && QUOTE.test(line));
  return lines.slice(0, quote < 0 ? lines.length : quote).join('\n');
}

export function hasReply(text: string): boolean {
  return REPLY.test(cutQuote(text));
}

export function addressesIn(text: string): string[] {
  return text.slice(0, MAX_SEARCHED).match(ADDRESSES) ?? [];
}

/** A block begins at a line with an address that stands at its start, and ends at the next one. */
function readBlocks(words: string): Omit<RecipientReport, 'outcome'>[] {
  const blocks: { address: string; lines: string[] }[] = [];
  for (const line of words.split('\n')) {
    const address = leadingAddress(line);
    if (address !== undefined && !REPLY.test(line.slice(0, line.indexOf(address)))) {
      const known = blocks.at(-1);
      if (known?.address.toLowerCase() !== address.toLowerCase()) blocks.push({ address, lines: [] });
    }
    blocks.at(-1)?.lines.push(line);
  }
  const telling = blocks.filter(
    ({ lines: [first = '', ...rest] }) =>
      rest.join('').trim() !== '' || REPLY.test(first) || first.length > 60,
  );
  return merge(telling.length > 0 ? telling : blocks, words);
}

/** The same address may come first in a list, and then with its reason. */
function merge(
  blocks: { address: string; lines: string[] }[],
  words: string,
): Omit<RecipientReport, 'outcome'>[] {
  const texts = new Map<string, string>();
  for (const { address, lines } of blocks) {
    const key = address.toLowerCase();
    texts.set(key, `${texts.get(key) ?? ''}\n${lines.join('\n')}`.trim());
  }
  const isOnly = texts.size === 1;
  return [...texts].map(([address, text]) => {
    const prose = isOnly && !REPLY.test(text) ? words.trim() : text;
    return { address, status: statusOf(prose), mx: undefined, diagnostic: '', prose };
  });
}

function leadingAddress(line: string): string | undefined {
  const trimmed = line.replace(
    /^[\s*•>-]*(?:(?:recipient(?: address)?|address|for|user|rcpt to)\s*:\s*)?/i,
    '',
  );
  return ADDRESS.exec(trimmed)?.[1];
}

function statusOf(text: string): string | undefined {
  return /(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![.\d])/.exec(text)?.[0];
}

/**
 * How the outcome of a check for spam travels from the mta's plugin to the worker: in the reply to the end of DATA. The
 * plugin decides, the api keeps what was decided.
 */
import type { SpamScore } from './score.ts';

export const spamReplies = {
  held: { code: 550, enhanced: '5.7.0', text: 'Held for review:' },
  refused: { code: 550, enhanced: '5.7.1', text: 'Refused as spam:' },
} as const;

/** The weightiest come first; the rest is left out, so that the reply stays one line (RFC 5321 4.5.3.1.5). */
const MAX_SYMBOLS = 8;

/** `spam=7.10 (BAD_WORDS 5.00, MIME_GOOD -0.10)` */
export function formatScore({ score, symbols }: SpamScore): string {
  const weighty = symbols
    .filter(({ name }) => /^\w{1,40}$/.test(name))
    .toSorted((one, other) => Math.abs(other.score) - Math.abs(one.score))
    .slice(0, MAX_SYMBOLS);
  return `spam=${score.toFixed(2)} (${weighty.map(({ name, score: own }) => `${name} ${own.toFixed(2)}`).join(', ')})`;
}

/** Undefined where the reply has none. */
export function parseScore(reply: string): SpamScore | undefined {
  const found = /\bspam=(-?\d+\.\d\d) \(([^)]*)\)/.exec(reply);
  if (!found) return undefined;
  const [, score = '', list = ''] = found;
  const symbols = [...list.matchAll(/(\w+) (-?\d+\.\d\d)/g)].map(([, name = '', own = '']) => ({
    name,
    score: Number(own),
  }));
  return { score: Number(score), symbols };
}

/** Undefined: the reply is about something else. */
export function readRefusal(reply: string): { kind: keyof typeof spamReplies; score: SpamScore } | undefined {
  const score = parseScore(reply);
  if (!score) return undefined;
  if (reply.includes(spamReplies.held.text)) return { kind: 'held', score };
  return reply.includes(spamReplies.refused.text) ? { kind: 'refused', score } : undefined;
}

/** What a check for spam found, and what follows from it. */

export interface SpamSymbol {
  /** rspamd's name of the rule */
  name: string;
  score: number;
}

export interface SpamScore {
  /** Higher is worse; rspamd's own scale */
  score: number;
  symbols: SpamSymbol[];
}

/** From which score on what is done with a message; the sternest that applies. */
export interface SpamThresholds {
  /** It gets the field `X-Spam: Yes`. */
  mark: number;
  /** Somebody has to look at it first. */
  hold: number;
  /** It is not sent. */
  refuse: number;
}

export type SpamAction = 'none' | 'mark' | 'hold' | 'refuse';

export function judge({ score }: SpamScore, { mark, hold, refuse }: SpamThresholds): SpamAction {
  if (score >= refuse) return 'refuse';
  if (score >= hold) return 'hold';
  if (score >= mark) return 'mark';
  return 'none';
}

/** As the worker writes them for the mta: `6,10,15`. */
export function formatThresholds({ mark, hold, refuse }: SpamThresholds): string {
  return [mark, hold, refuse].join(',');
}

/** Undefined where the text has none. */
export function parseThresholds(text: string): SpamThresholds | undefined {
  const found = /^\s*(-?[\d.]{1,12}),(-?[\d.]{1,12}),(-?[\d.]{1,12})\s*$/.exec(text);
  if (!found) return undefined;
  const [mark = Number.NaN, hold = Number.NaN, refuse = Number.NaN] = found.slice(1).map(Number);
  return [mark, hold, refuse].every(Number.isFinite) ? { mark, hold, refuse } : undefined;
}

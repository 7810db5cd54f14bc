/** Says what a refusal means, and by which rule. */
import { siteOfMx } from '../sites.ts';
import { hasPhrase, normalizeText } from './phrase.ts';
import { parseReply, type Reply } from './reply.ts';
import type { Rule, RuleFile } from './rules.ts';
import { type Action, type BounceClass, bounceClasses } from './taxonomy.ts';

export interface Verdict {
  class: BounceClass;
  /** The address is at fault for good. Never true of a reply that says "for now" (4xx). */
  isHard: boolean;
  action: Action;
  /** The rule that decided, or `none`. */
  rule: string;
  /** What decided: the words, or only the code and the status, which many servers give without thought. */
  basis: 'words' | 'codes' | 'none';
}

/** @param mx host name of the server that said it, if it is known */
export function classifyReply(files: readonly RuleFile[], reply: string | Reply, mx?: string): Verdict {
  const parsed = typeof reply === 'string' ? parseReply(reply) : reply;
  const text = normalizeText(parsed.text);
  const site = mx === undefined ? undefined : siteOfMx(mx);
  for (const file of files) {
    if (file.site !== undefined && file.site !== site) continue;
    const rule = file.rules.find((candidate) => decides(candidate, parsed, text));
    if (rule) return conclude(rule, parsed);
  }
  const action = isTemporary(parsed) ? 'retry' : 'give-up';
  return { class: 'other', isHard: false, action, rule: 'none', basis: 'none' };
}

function decides(rule: Rule, { code, status }: Reply, text: string): boolean {
  if (rule.code.length > 0 && !rule.code.some((prefix) => String(code ?? '').startsWith(prefix)))
    return false;
  if (rule.status.length > 0 && !rule.status.some((pattern) => matchesStatus(pattern, status))) return false;
  if (rule.phrases.length > 0 && !rule.phrases.some((phrase) => hasPhrase(text, phrase))) return false;
  return !rule.unless.some((phrase) => hasPhrase(text, phrase));
}

function matchesStatus(pattern: string, status: string | undefined): boolean {
  if (status === undefined) return false;
  const expected = pattern.split('.');
  return status.split('.').every((part, index) => expected[index] === '*' || expected[index] === part);
}

function conclude(rule: Rule, reply: Reply): Verdict {
  const facts = bounceClasses[rule.class];
  const temporary = isTemporary(reply);
  const isHard = (rule.isHard ?? facts.isHard) && !temporary;
  const action = rule.action ?? facts.action;
  const softened = action === 'suppress' || action === 'give-up' ? 'retry' : action;
  return {
    class: rule.class,
    isHard,
    action: temporary ? softened : action,
    rule: rule.name,
    basis: rule.phrases.length > 0 ? 'words' : 'codes',
  };
}

/** By its code, which is what binds the client (RFC 5321 4.2.1), or where there is none, by its status. */
function isTemporary({ code, status }: Reply): boolean {
  if (code !== undefined) return code < 500;
  return status?.startsWith('4') ?? false;
}

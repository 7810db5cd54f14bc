/** Which refusals say that the address is of no use: only those end in the block list. */
import { classifyReply } from '../../lib/bounces/classify.ts';
import { loadRules } from '../../lib/bounces/rules.ts';
import type { EventData } from './event.ts';

const rules = loadRules();

/** A mailbox that does not exist, as opposed to one that does not want this mail, or is full. */
export function isHardBounce({ response, mx }: Pick<EventData, 'response' | 'mx'>): boolean {
  return response ? classifyReply(rules, response, mx?.hostname).isHard : false;
}

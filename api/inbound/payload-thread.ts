/** What runs in the threads of render-payload.ts: makes the bodies that endpoints get. */
import { serveTasks } from '../serve-tasks.ts';
import { type InboundFacts, parseInbound, renderInbound } from './payload.ts';

export interface PayloadTask {
  facts: InboundFacts;
  content: Uint8Array;
}

serveTasks(async ({ facts, content }: PayloadTask): Promise<Uint8Array> => {
  const source = Buffer.from(content);
  return renderInbound(facts, source, await parseInbound(source));
});

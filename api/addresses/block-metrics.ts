/** How many addresses are left alone at a site, and over what: read from Redis when it is asked for. */
import { Gauge, type Registry } from 'prom-client';
import type { Settings } from '../../config/schema.ts';
import { classifyReply } from '../../lib/bounces/classify.ts';
import { loadRules, type RuleFile } from '../../lib/bounces/rules.ts';
import type { Logger } from '../../lib/log.ts';
import type { AddressBlock } from '../../lib/pools/block.ts';
import { createBlockStore } from '../../lib/pools/block-store.ts';

/** While Redis is out of reach there is no number, rather than a wrong one. @returns what lets go of Redis */
export function createBlockMetrics({ redis, pools }: Settings, registry: Registry, log: Logger): () => void {
  const blocks = createBlockStore({ redisUrl: redis.url, terms: pools, log });
  const rules = loadRules();
  new Gauge({
    name: 'postern_address_blocks',
    help: 'Pairs of an address and a site that takes no mail from it, by the class of the reply',
    labelNames: ['cause'],
    registers: [registry],
    async collect() {
      this.reset();
      const found = await blocks.listBlocks().catch(() => undefined); // the store has logged why
      for (const [cause, count] of Object.entries(found ? countByCause(found, rules) : {})) {
        this.set({ cause }, count);
      }
    },
  });
  return () => blocks.close();
}

/** By the class that the reply has today (docs/bounces.md). */
export function countByCause(
  blocks: readonly Pick<AddressBlock, 'reply'>[],
  rules: readonly RuleFile[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reply } of blocks) {
    const { class: cause } = classifyReply(rules, reply);
    counts[cause] = (counts[cause] ?? 0) + 1;
  }
  return counts;
}

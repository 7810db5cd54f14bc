/** What a schema cannot say about the settings of webhooks. */
import ipaddr from 'ipaddr.js';
import type { Settings } from './schema.ts';

export function findWebhookProblems({ environment, webhooks }: Settings): string[] {
  const problems = webhooks.deniedNetworks
    .filter((network) => !ipaddr.isValid(network) && !ipaddr.isValidCIDR(network))
    .map((network) => `webhooks.deniedNetworks: ${network} is neither an address nor a network`);
  if (environment === 'production' && webhooks.allowLoopback) {
    problems.push('webhooks.allowLoopback: not in production, where it opens the machine to its customers');
  }
  return problems;
}

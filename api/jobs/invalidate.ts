/** Makes every service forget a cached answer; the second of two attempts, in case the first died with its process. */
import type { Contract } from '../../lib/rpc/contracts/contract.ts';
import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import { findDkimKeys, findDkimRecord } from '../../lib/rpc/contracts/dkim-keys.ts';
import { findInboundRecipient } from '../../lib/rpc/contracts/recipients.ts';
import { findSendingPools } from '../../lib/rpc/contracts/sending-pools.ts';
import { findSuppression } from '../../lib/rpc/contracts/suppressions.ts';
import type { Invalidator } from '../../lib/rpc/invalidation.ts';

export interface InvalidateJob {
  contract: string;
  params: object;
}

const contracts: readonly Contract[] = [
  findCredential,
  findDkimKeys,
  findDkimRecord,
  findInboundRecipient,
  findSuppression,
  findSendingPools,
];

export async function invalidate(
  invalidator: Invalidator,
  { contract, params }: InvalidateJob,
): Promise<void> {
  const found = contracts.find(({ name }) => name === contract);
  if (!found) throw new Error(`no contract ${contract} has a cache`);
  await invalidator.invalidate(found, params);
}

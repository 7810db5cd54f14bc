import { randomBytes } from 'node:crypto';
import { digestToken } from '../secrets.ts';
import type { RpcClient } from './client.ts';
import { findCredential } from './contracts/credentials.ts';

/** A health check: throws unless the api answers. A token nobody has is in no cache: only the api itself can say so. */
export async function checkApi(rpc: Pick<RpcClient, 'call'>): Promise<void> {
  const digest = digestToken(randomBytes(32).toString('hex'));
  const result = await rpc.call(findCredential, { params: { digest } });
  if (!result.ok && result.reason !== 'not_found') throw new Error(`the api's RPC is ${result.reason}`);
}

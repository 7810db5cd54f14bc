import type { FastifyInstance } from 'fastify';
import { findSendingPools } from '../../lib/rpc/contracts/sending-pools.ts';
import type { Context } from '../app.ts';
import { readSendingPools } from '../models/sending-pool.ts';
import { registerCall } from './register.ts';

export function sendingPoolCalls(app: FastifyInstance, { store }: Context): void {
  registerCall(app, findSendingPools, () => readSendingPools(store.pool));
}

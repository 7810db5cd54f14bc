import type { FastifyInstance } from 'fastify';
import { findSuppression } from '../../lib/rpc/contracts/suppressions.ts';
import type { Context } from '../app.ts';
import { readSuppression } from '../models/suppression.ts';
import { registerCall } from './register.ts';

export function suppressionCalls(app: FastifyInstance, { store }: Context): void {
  registerCall(app, findSuppression, ({ params }) => readSuppression(store.pool, params));
}

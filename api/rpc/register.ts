import type { FastifyInstance } from 'fastify';
import type { Contract } from '../../lib/rpc/contracts/contract.ts';
import { type RpcHandler, registerContract } from '../../lib/rpc/server.ts';
import { isDatabaseUnavailable } from '../database.ts';

/** registerContract, with a database that is out of reach told from a mistake: 503 is worth a retry. */
export function registerCall<C extends Contract>(
  app: FastifyInstance,
  contract: C,
  handler: RpcHandler<C>,
  options: { maxBodyBytes?: number } = {},
): void {
  registerContract(
    app,
    contract,
    async (input, context) => {
      try {
        return await handler(input, context);
      } catch (error) {
        throw isDatabaseUnavailable(error) ? new DatabaseUnavailable(error) : error;
      }
    },
    options,
  );
}

class DatabaseUnavailable extends Error {
  readonly statusCode = 503;

  constructor(cause: unknown) {
    super('The database is out of reach', { cause });
  }
}

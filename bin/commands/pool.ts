/** bin/postern pool: sending pools, for operators. Pools are called by their names, addresses by themselves. */
import { type Command, InvalidArgumentError } from 'commander';
import Type from 'typebox';
import { formatPools, type PoolView, poolSchema } from '../pool-text.ts';
import type { PublicApi } from '../public-api.ts';
import { readId } from '../selection.ts';
import { CommandFailure, runCommand, unwrap } from './context.ts';

interface AssignmentOptions {
  organization?: number;
  domain?: string;
  stream?: string;
}

const LIST_FIRST = 'bin/postern pool list shows what there is.';

export function addPoolCommands(program: Command): void {
  const pool = program
    .command('pool')
    .description('Sending pools: local addresses, and whose mail leaves from them')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern pool create main
  $ bin/postern pool add main 192.0.2.10 out1.example.com
  $ bin/postern pool assign main                                          everybody's mail
  $ bin/postern pool assign newsletters --organization 3 --stream bulk
  $ bin/postern ips check`,
    );

  show(pool.command('list').description('All of them'), listPools);
  show(pool.command('create').description('Makes a pool').argument('<name>'), async (api, [name]) => [
    unwrap(await api.call(poolSchema, 'POST', '/sending_pools', { sending_pool: { name } })),
  ]);
  show(
    pool.command('delete').description('With its addresses; shows what is left').argument('<name>'),
    async (api, [name]) => {
      await changePool(api, 'DELETE', await findPool(api, name));
      return listPools(api);
    },
  );
  addAddressCommands(pool);
  addAssignmentCommands(pool);
}

function addAddressCommands(pool: Command): void {
  show(
    pool
      .command('add')
      .description('Adds a local address, with the name it says in EHLO')
      .argument('<name>')
      .argument('<address>', 'IPv4 or IPv6')
      .argument('<helo>'),
    async (api, [name, address, helo]) => {
      const found = await findPool(api, name);
      return [await changePool(api, 'POST', found, '/addresses', { ip_address: { address, helo } })];
    },
  );
  show(
    pool
      .command('remove')
      .description('Takes an address out: nothing leaves from it any more')
      .argument('<name>')
      .argument('<address>'),
    async (api, [name, address]) => {
      const found = await findPool(api, name);
      const id = found.addresses.find((one) => one.address === address)?.id;
      if (!id) throw new CommandFailure(`the pool ${name} has no address ${address}`, LIST_FIRST);
      return [await changePool(api, 'DELETE', found, `/addresses/${id}`)];
    },
  );
}

function addAssignmentCommands(pool: Command): void {
  const assign = pool
    .command('assign')
    .description('Says whose mail leaves from it; without an option: what nothing else is said of')
    .argument('<name>')
    .option('--organization <id>', 'of this organization', readId)
    .option('--domain <domain>', 'of this domain')
    .option('--stream <stream>', 'transactional or bulk', readStream);
  show(assign, async (api, [name]) => {
    const { organization: organization_id, domain, stream } = assign.opts<AssignmentOptions>();
    const body = { assignment: { organization_id, domain, stream } };
    return [await changePool(api, 'POST', await findPool(api, name), '/assignments', body)];
  });
  show(
    pool
      .command('unassign')
      .description('Takes an assignment back')
      .argument('<name>')
      .argument('<id>', 'of the assignment, as list shows it', readId),
    async (api, [name, id]) => [
      await changePool(api, 'DELETE', await findPool(api, name), `/assignments/${id}`),
    ],
  );
}

/** Prints the pools that `work` gives. @param work gets the arguments as they were typed */
function show(command: Command, work: (api: PublicApi, given: string[]) => Promise<PoolView[]>): void {
  command.option('--operator-token <token>', "an operator's token").action(() =>
    runCommand(command, async ({ operatorApi, print }) => {
      const pools = await work(operatorApi(), command.args);
      print(pools, pools.length === 0 ? 'There is no pool.' : formatPools(pools));
    }),
  );
}

async function listPools(api: PublicApi): Promise<PoolView[]> {
  return unwrap(await api.call(Type.Array(poolSchema), 'GET', '/sending_pools'));
}

async function findPool(api: PublicApi, name: string | undefined): Promise<PoolView> {
  const pool = (await listPools(api)).find((one) => one.name === name);
  if (!pool) throw new CommandFailure(`there is no pool ${name}`, LIST_FIRST);
  return pool;
}

async function changePool(
  api: PublicApi,
  method: 'POST' | 'DELETE',
  { id }: PoolView,
  path = '',
  body?: object,
): Promise<PoolView> {
  const answer = await api.call(poolSchema, method, `/sending_pools/${id}${path}`, body);
  return unwrap(answer, { 404: LIST_FIRST });
}

function readStream(text: string): string {
  if (text === 'transactional' || text === 'bulk') return text;
  throw new InvalidArgumentError('It must be transactional or bulk.');
}

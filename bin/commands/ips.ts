/** bin/postern ips: the health of the addresses of all pools, and where they are blocked. For operators. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import Type from 'typebox';
import { blockSchema, formatBlocks, formatChecks, poolSchema } from '../pool-text.ts';
import type { PublicApi } from '../public-api.ts';
import { CommandFailure, runCommand, unwrap } from './context.ts';

const POLL_MS = 500;
const DEADLINE_MS = 120_000;

const requestSchema = Type.Object({ requested_at: Type.String() });

export function addIpsCommands(program: Command): void {
  const ips = program
    .command('ips')
    .description('Local addresses: their reverse DNS, blocklists and port, and which site blocks them')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern ips check
  $ bin/postern ips blocks
  $ bin/postern ips unblock 192.0.2.10 google`,
    );

  withToken(
    ips.command('check').description('Has a worker check all of them now; exit code 1 where one is wrong'),
  ).action((_options, command: Command) =>
    runCommand(command, async ({ operatorApi, print }) => {
      const addresses = await checkNow(operatorApi());
      print(addresses, addresses.length === 0 ? 'No pool has an address.' : formatChecks(addresses));
      const findings = addresses.flatMap((one) => Object.values(one.findings ?? {}));
      if (findings.some(({ status }) => status === 'wrong')) process.exitCode = 1;
    }),
  );

  withToken(ips.command('blocks').description('Which address is left alone at which site, and why')).action(
    (_options, command: Command) =>
      runCommand(command, async ({ operatorApi, print }) => {
        const blocks = unwrap(await operatorApi().call(Type.Array(blockSchema), 'GET', '/address_blocks'));
        print(blocks, blocks.length === 0 ? 'No address is blocked.' : formatBlocks(blocks));
      }),
  );

  withToken(
    ips
      .command('unblock')
      .description('Ends a block now, after the site has been talked to')
      .argument('<address>')
      .argument('<site>', 'as blocks shows it'),
  ).action((address: string, site: string, _options, command: Command) =>
    runCommand(command, async ({ operatorApi, print }) => {
      const query = new URLSearchParams({ address, site });
      const path = `/address_blocks?${query}`;
      const hints = { 404: 'bin/postern ips blocks shows which there are.' };
      const lifted = unwrap(await operatorApi().call(liftedSchema, 'DELETE', path), hints);
      print(lifted, `${address} may send to ${site} again.`);
    }),
  );
}

const liftedSchema = Type.Object({ address: Type.String(), site: Type.String() });

/** Waits until a worker has looked at each. */
async function checkNow(api: PublicApi) {
  const { requested_at } = unwrap(await api.call(requestSchema, 'POST', '/address_checks'));
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const pools = unwrap(await api.call(Type.Array(poolSchema), 'GET', '/sending_pools'));
    const addresses = pools.flatMap((pool) => pool.addresses);
    if (addresses.every(({ checked_at }) => checked_at !== null && checked_at >= requested_at))
      return addresses;
    if (performance.now() > deadline) {
      throw new CommandFailure('no worker has checked them', 'bin/postern status shows whether one runs.');
    }
    await sleep(POLL_MS);
  }
}

function withToken(command: Command): Command {
  return command.option('--operator-token <token>', "an operator's token");
}

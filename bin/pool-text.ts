/** Sending pools and blocks of addresses, as the api shows them and as people read them. */
import Type, { type Static } from 'typebox';
import { nullable } from './nullable.ts';
import { formatTable } from './text.ts';

export const poolSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  addresses: Type.Array(
    Type.Object({
      id: Type.Integer(),
      address: Type.String(),
      helo: Type.String(),
      findings: nullable(
        Type.Record(Type.String(), Type.Object({ status: Type.String(), text: Type.String() })),
      ),
      checked_at: nullable(Type.String()),
    }),
  ),
  assignments: Type.Array(
    Type.Object({
      id: Type.Integer(),
      organization_id: nullable(Type.Integer()),
      domain: nullable(Type.String()),
      stream: nullable(Type.String()),
    }),
  ),
});
export type PoolView = Static<typeof poolSchema>;
type AddressView = PoolView['addresses'][number];

export const blockSchema = Type.Object({
  address: Type.String(),
  site: Type.String(),
  strikes: Type.Integer(),
  reply: Type.String(),
  ends_at: Type.String(),
});

export function formatPools(pools: PoolView[]): string {
  return formatTable(
    ['pool', 'addresses', 'whose mail'],
    pools.map(({ name, addresses, assignments }) => [
      name,
      addresses.map(({ address, helo }) => `${address} (${helo})`).join(', ') || 'none: its mail waits',
      assignments.map((one) => `${one.id}: ${describeAssignment(one)}`).join(', ') || "nobody's",
    ]),
  );
}

function describeAssignment({ organization_id, domain, stream }: PoolView['assignments'][number]): string {
  const named = [organization_id && `organization ${organization_id}`, domain, stream].filter(Boolean);
  return named.length === 0 ? "everybody's" : named.join(' ');
}

/** A line a finding, what is wrong first. */
export function formatChecks(addresses: AddressView[]): string {
  const order = ['wrong', 'unknown', 'ok'];
  return formatTable(
    ['address', 'check', 'is', 'found'],
    addresses.flatMap(({ address, findings }) =>
      findings === null
        ? [[address, 'all', 'not checked yet', '']]
        : Object.entries(findings)
            .map(([check, { status, text }]) => [address, check, status, text])
            .toSorted((a, b) => order.indexOf(a[2] ?? '') - order.indexOf(b[2] ?? '')),
    ),
  );
}

export function formatBlocks(blocks: Static<typeof blockSchema>[]): string {
  return formatTable(
    ['address', 'site', 'until', 'time', 'because of'],
    blocks.map(({ address, site, ends_at, strikes, reply }) => [
      address,
      site,
      ends_at,
      String(strikes),
      reply,
    ]),
  );
}

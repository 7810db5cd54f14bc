/** Sending pools: local addresses, and whose mail leaves from them. Every change reaches the mtas at once. */
import { findSendingPools, type SendingPools } from '../../lib/rpc/contracts/sending-pools.ts';
import type { Queryable, Transaction } from '../database.ts';
import type { Stream } from './stream.ts';

export interface SendingPool {
  id: number;
  name: string;
  addresses: IpAddress[];
  assignments: Assignment[];
}

export interface IpAddress {
  id: number;
  address: string;
  helo: string;
  /** Of the last health check, by its name; null before the first */
  findings: Record<string, AddressFinding> | null;
  checkedAt: string | null;
}

export interface AddressFinding {
  /** `unknown`: it could not be checked. */
  status: 'ok' | 'wrong' | 'unknown';
  /** What was found; of `wrong` also what to do */
  text: string;
}

export interface Assignment {
  id: number;
  organizationId: number | null;
  domain: string | null;
  stream: Stream | null;
}

export type PoolResult<T> = { ok: true; value: T } | { ok: false; field: string; reason: string };

const POOLS = `
  select pool.id, pool.name,
         coalesce((select json_agg(json_build_object('id', a.id, 'address', host(a.address), 'helo', a.helo,
                                                     'findings', a.findings, 'checkedAt', a.checked_at) order by a.id)
                     from ip_addresses a where a.pool_id = pool.id), '[]') as addresses,
         coalesce((select json_agg(json_build_object('id', s.id, 'organizationId', s.organization_id,
                                                     'domain', d.name, 'stream', s.stream) order by s.id)
                     from pool_assignments s
                     left join domains d on d.id = s.domain_id
                    where s.pool_id = pool.id), '[]') as assignments
    from sending_pools pool`;

export async function listPools(db: Queryable): Promise<SendingPool[]> {
  const { rows } = await db.query<SendingPool>(`${POOLS} order by pool.name`);
  return rows;
}

export async function findPool(db: Queryable, id: number): Promise<SendingPool | undefined> {
  const { rows } = await db.query<SendingPool>(`${POOLS} where pool.id = $1`, [id]);
  return rows[0];
}

/** What the mtas choose by. A domain that was deleted has no mail to send. */
export async function readSendingPools(db: Queryable): Promise<SendingPools> {
  const pools = await listPools(db);
  return {
    pools: pools.map(({ id, name, addresses }) => ({
      id,
      name,
      addresses: addresses.map(({ address, helo }) => ({ address, helo })),
    })),
    assignments: pools.flatMap(({ id: poolId, assignments }) =>
      assignments.map(({ organizationId, domain, stream }) => ({ poolId, organizationId, domain, stream })),
    ),
  };
}

/** @param name lower-case letters, digits and hyphens, at most 40 */
export async function createPool(tx: Transaction, name: string): Promise<PoolResult<SendingPool>> {
  const { rows } = await tx.query<{ id: number }>(
    'insert into sending_pools (name) values ($1) on conflict (name) do nothing returning id',
    [name],
  );
  const [made] = rows;
  if (!made) return { ok: false, field: 'sending_pool.name', reason: 'has already been taken' };
  return changed(tx, made.id);
}

/** Its addresses and assignments go with it. Undefined: there is none. */
export async function deletePool(tx: Transaction, id: number): Promise<SendingPool | undefined> {
  const pool = await findPool(tx, id);
  await tx.query('delete from sending_pools where id = $1', [id]);
  await tx.invalidate(findSendingPools, {});
  return pool;
}

/** @param address a valid IPv4 or IPv6 address */
export async function addAddress(
  tx: Transaction,
  poolId: number,
  { address, helo }: { address: string; helo: string },
): Promise<PoolResult<SendingPool>> {
  const { rowCount } = await tx.query(
    'insert into ip_addresses (pool_id, address, helo) values ($1, $2, $3) on conflict (address) do nothing',
    [poolId, address, helo],
  );
  if (rowCount === 0) return { ok: false, field: 'ip_address.address', reason: 'is in a pool already' };
  return changed(tx, poolId);
}

export async function removeAddress(tx: Transaction, poolId: number, id: number): Promise<boolean> {
  const { rowCount } = await tx.query('delete from ip_addresses where pool_id = $1 and id = $2', [
    poolId,
    id,
  ]);
  await tx.invalidate(findSendingPools, {});
  return rowCount === 1;
}

/** What is null is not asked for: with three nulls, all mail that nothing else is said of. */
export async function assignPool(
  tx: Transaction,
  poolId: number,
  { organizationId, domain, stream }: Omit<Assignment, 'id'>,
): Promise<PoolResult<SendingPool>> {
  const domainId = domain === null ? null : await findDomainId(tx, domain);
  if (domainId === undefined) return { ok: false, field: 'assignment.domain', reason: 'is not known' };
  if (organizationId !== null && !(await isOrganization(tx, organizationId))) {
    return { ok: false, field: 'assignment.organization_id', reason: 'is not known' };
  }
  const { rowCount } = await tx.query(
    `insert into pool_assignments (pool_id, organization_id, domain_id, stream)
          values ($1, $2, $3, $4)
     on conflict (organization_id, domain_id, stream) do nothing`,
    [poolId, organizationId, domainId, stream],
  );
  if (rowCount === 0) return { ok: false, field: 'assignment', reason: 'has a pool already' };
  return changed(tx, poolId);
}

export async function removeAssignment(tx: Transaction, poolId: number, id: number): Promise<boolean> {
  const { rowCount } = await tx.query('delete from pool_assignments where pool_id = $1 and id = $2', [
    poolId,
    id,
  ]);
  await tx.invalidate(findSendingPools, {});
  return rowCount === 1;
}

/** Notes what a health check has found. An address that is gone meanwhile has nothing to note. */
export async function recordFindings(
  db: Queryable,
  address: string,
  findings: Record<string, AddressFinding>,
): Promise<void> {
  await db.query('update ip_addresses set findings = $2, checked_at = now() where address = $1', [
    address,
    JSON.stringify(findings),
  ]);
}

async function changed(tx: Transaction, id: number): Promise<PoolResult<SendingPool>> {
  await tx.invalidate(findSendingPools, {});
  const value = await findPool(tx, id);
  if (!value) throw new Error('the pool that was just changed is not there');
  return { ok: true, value };
}

async function findDomainId(tx: Transaction, name: string): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number }>(
    'select id from domains where name = $1 and deleted_at is null',
    [name],
  );
  return rows[0]?.id;
}

async function isOrganization(tx: Transaction, id: number): Promise<boolean> {
  const { rows } = await tx.query('select 1 from organizations where id = $1', [id]);
  return rows.length === 1;
}

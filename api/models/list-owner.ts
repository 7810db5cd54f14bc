/** Whose lists a caller may see and change: of an organization, or of one domain of it. */
import { normalizeDomain } from '../../lib/mail/address.ts';
import type { Queryable } from '../database.ts';

export interface ListOwner {
  organizationId: number;
  /** Undefined: the whole organization. */
  domainId: number | undefined;
}

/** For `organization_id = $1 and ($2::bigint is null or domain_id = $2)` */
export function ownerParameters({ organizationId, domainId }: ListOwner): [number, number | null] {
  return [organizationId, domainId ?? null];
}

/**
 * The owner, narrowed to a domain by its name; without a name as it is.
 * @returns undefined when the domain is not the owner's
 */
export async function findOwnedDomain(
  db: Queryable,
  { organizationId, domainId }: ListOwner,
  name: string | undefined,
): Promise<ListOwner | undefined> {
  if (!name) return { organizationId, domainId };
  const { rows } = await db.query<{ id: number }>(
    `select id
       from domains
      where name = $1 and organization_id = $2 and deleted_at is null and ($3::bigint is null or id = $3)`,
    [normalizeDomain(name) ?? '', organizationId, domainId ?? null],
  );
  return rows[0] && { organizationId, domainId: rows[0].id };
}

/** Ids of the owner's domains, by name. */
export async function listOwnedDomains(
  db: Queryable,
  { organizationId, domainId }: ListOwner,
): Promise<Map<string, number>> {
  const { rows } = await db.query<{ id: number; name: string }>(
    `select id, name
       from domains
      where organization_id = $1 and deleted_at is null and ($2::bigint is null or id = $2)`,
    [organizationId, domainId ?? null],
  );
  return new Map(rows.map(({ id, name }) => [name, id]));
}

/** @throws when there is none with the id */
export async function nameOfDomain(db: Queryable, id: number): Promise<string> {
  const { rows } = await db.query<{ name: string }>('select name from domains where id = $1', [id]);
  const [row] = rows;
  if (!row) throw new Error(`there is no domain ${id}`);
  return row.name;
}

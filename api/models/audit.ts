/**
 * The audit log: every change that a person or a program made through the API or the console. An entry is written in
 * the transaction of its change, so there is neither a change without one nor one without a change.
 */
import type { Queryable } from '../database.ts';

/** The kind of token that was shown; `console`: somebody on the server itself; `guard`: the abuse guard */
export const actorKinds = ['domain', 'organization', 'operator', 'console', 'guard'] as const;

export interface Actor {
  kind: (typeof actorKinds)[number];
  tokenId: number | null;
  requestId: string | null;
  /** Of the client, as the api saw it */
  address: string | null;
}

/** On the server itself there is no token to know anybody by. */
export const consoleActor: Actor = { kind: 'console', tokenId: null, requestId: null, address: null };

export const guardActor: Actor = { ...consoleActor, kind: 'guard' };

export interface Change {
  /** Whose log it stands in; null: the operators' alone */
  organizationId: number | null;
  /** Dotted, past tense: `domain.created` */
  action: string;
  /** What a person calls the thing: a domain's name, a token's, an organization's */
  subject: string;
  subjectId: number | null;
  /** What it was changed to; never a secret */
  details?: object | undefined;
}

export interface AuditEntry extends Change {
  id: number;
  actorKind: Actor['kind'];
  actorTokenId: number | null;
  actorName: string | null;
  details: object;
  requestId: string | null;
  address: string | null;
  createdAt: Date;
}

export interface AuditQuery {
  /** Undefined: of all organizations, and what belongs to none */
  organizationId: number | undefined;
  /** Only entries older than this id */
  before?: number | undefined;
  limit: number;
}

/** @param tx the transaction of the change */
export async function recordChange(tx: Queryable, actor: Actor, change: Change): Promise<void> {
  await tx.query(
    `insert into audit_entries (organization_id, actor_kind, actor_token_id, action, subject, subject_id, details,
                                request_id, address)
          values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      change.organizationId,
      actor.kind,
      actor.tokenId,
      change.action,
      change.subject,
      change.subjectId,
      JSON.stringify(change.details ?? {}),
      actor.requestId,
      actor.address,
    ],
  );
}

/** Newest first. */
export async function listAuditEntries(
  db: Queryable,
  { organizationId, before, limit }: AuditQuery,
): Promise<AuditEntry[]> {
  const { rows } = await db.query<AuditEntry>(
    `select entry.id,
            entry.organization_id as "organizationId",
            entry.actor_kind      as "actorKind",
            entry.actor_token_id  as "actorTokenId",
            token.name            as "actorName",
            entry.action,
            entry.subject,
            entry.subject_id      as "subjectId",
            entry.details,
            entry.request_id      as "requestId",
            entry.address,
            entry.created_at      as "createdAt"
       from audit_entries entry
       left join api_tokens token on token.id = entry.actor_token_id
      where ($1::bigint is null or entry.organization_id = $1)
        and ($2::bigint is null or entry.id < $2)
      order by entry.id desc
      limit $3`,
    [organizationId ?? null, before ?? null, limit],
  );
  return rows;
}

/**
 * The keys that sign the webhooks of a domain (Ed25519). A domain has one; while it is replaced, two, and both sign
 * until the older one retires. Private keys are sealed, as those of DKIM are.
 */
import { deriveKey, seal, unseal } from '../../lib/secrets.ts';
import type { Queryable } from '../database.ts';
import { generateWebhookKeyPair } from '../webhooks/signature.ts';
import type { SealedColumn } from './sealed.ts';

export interface WebhookKey {
  id: number;
  domainId: number;
  /** The raw 32 bytes in base64 */
  publicKey: string;
  retiresAt: Date | null;
}

export interface PrivateWebhookKey extends WebhookKey {
  /** PKCS#8 DER */
  privateKey: Buffer;
}

const columns = 'id, domain_id as "domainId", public_key as "publicKey", retires_at as "retiresAt"';
/** Oldest first: the order in which they sign. */
const inUse = '(retires_at is null or retires_at > now())';

/** Makes the first key of a domain; one that has a key keeps it. Inside a transaction. */
export async function ensureWebhookKey(tx: Queryable, domainId: number, masterKey: string): Promise<void> {
  await lockDomain(tx, domainId);
  const [key] = await listWebhookKeys(tx, domainId);
  if (!key) await insertKey(tx, domainId, masterKey);
}

/**
 * A new key for the domain. The one before signs along for `overlapSeconds`, and till then it alone makes the
 * contract's signature; a rotation within another's overlap ends that one. Inside a transaction.
 */
export async function rotateWebhookKey(
  tx: Queryable,
  domainId: number,
  overlapSeconds: number,
  masterKey: string,
): Promise<WebhookKey[]> {
  await lockDomain(tx, domainId);
  await tx.query('update webhook_keys set retires_at = now() where domain_id = $1 and retires_at > now()', [
    domainId,
  ]);
  await tx.query(
    `update webhook_keys
        set retires_at = now() + make_interval(secs => $2)
      where domain_id = $1 and retires_at is null`,
    [domainId, overlapSeconds],
  );
  await insertKey(tx, domainId, masterKey);
  return listWebhookKeys(tx, domainId);
}

/** Those in use, the oldest first: its public key is the contract's `webhook_public_key`. */
export async function listWebhookKeys(db: Queryable, domainId: number): Promise<WebhookKey[]> {
  const { rows } = await db.query<WebhookKey>(
    `select ${columns} from webhook_keys where domain_id = $1 and ${inUse} order by id`,
    [domainId],
  );
  return rows;
}

/** Those in use of these domains, the oldest first, unsealed. @throws when one was sealed by another master key */
export async function findPrivateWebhookKeys(
  db: Queryable,
  domainIds: readonly number[],
  masterKey: string,
): Promise<PrivateWebhookKey[]> {
  const { rows } = await db.query<WebhookKey & { sealed: Buffer }>(
    `select ${columns}, private_key_sealed as sealed
       from webhook_keys
      where domain_id = any($1::bigint[]) and ${inUse}
      order by id`,
    [domainIds],
  );
  const sealingKey = deriveKey(masterKey, 'database');
  return rows.map(({ sealed, ...key }) => {
    const privateKey = unseal(sealingKey, sealed, sealContext(key.domainId, key.publicKey));
    if (!privateKey) throw new Error(`the webhook key ${key.id} was sealed by another secrets.key`);
    return { ...key, privateKey };
  });
}

async function insertKey(tx: Queryable, domainId: number, masterKey: string): Promise<void> {
  const { privateKey, publicKey } = generateWebhookKeyPair();
  const sealed = seal(deriveKey(masterKey, 'database'), privateKey, sealContext(domainId, publicKey));
  await tx.query('insert into webhook_keys (domain_id, public_key, private_key_sealed) values ($1, $2, $3)', [
    domainId,
    publicKey,
    sealed,
  ]);
}

/** One at a time makes or replaces keys of a domain. */
async function lockDomain(tx: Queryable, domainId: number): Promise<void> {
  await tx.query('select id from domains where id = $1 for no key update', [domainId]);
}

/** For api/models/sealed.ts; those that are retired too. */
export const sealedWebhookKeys: SealedColumn = {
  table: 'webhook_keys',
  column: 'private_key_sealed',
  select: `
    select id, private_key_sealed as sealed, domain_id as "domainId", public_key as "publicKey"
      from webhook_keys
     where id > $1
     order by id
     limit $2
       for update`,
  contextOf: ({ domainId, publicKey }) => sealContext(Number(domainId), String(publicKey)),
};

function sealContext(domainId: number, publicKey: string): string {
  return `webhook_keys/${domainId}/${publicKey}`;
}

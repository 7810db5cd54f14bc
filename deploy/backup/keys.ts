/**
 * Who can open a backup: the master key, by a key pair of X25519 that is derived from it, and whoever holds the secret
 * half of one of `backup.recipients`. Without the master key the sealed columns in the databases are of no use either, so
 * that there is nothing more to keep than the master key.
 */
import { webcrypto } from 'node:crypto';
import { Decrypter, Encrypter, identityToRecipient } from 'age-encryption';
import type { Settings } from '../../config/schema.ts';
import { deriveKey, keysIn } from '../../lib/secrets.ts';

/** PKCS #8 of an X25519 key (RFC 8410 7) up to its 32 bytes */
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');

export async function createEncrypter({
  secrets,
  backup,
}: Pick<Settings, 'secrets' | 'backup'>): Promise<Encrypter> {
  const encrypter = new Encrypter();
  const [current] = await identitiesOf(secrets.key);
  if (!current) throw new Error('there is no master key');
  encrypter.addRecipient(await identityToRecipient(current));
  for (const recipient of backup.recipients) encrypter.addRecipient(recipient);
  return encrypter;
}

/** Opens what either of two master keys has sealed, while they are rotated. */
export async function createDecrypter({ secrets }: Pick<Settings, 'secrets'>): Promise<Decrypter> {
  const decrypter = new Decrypter();
  for (const identity of await identitiesOf(secrets.key)) decrypter.addIdentity(identity);
  return decrypter;
}

function identitiesOf(masterKey: string): Promise<webcrypto.CryptoKey[]> {
  return Promise.all(
    keysIn(deriveKey(masterKey, 'backup')).map((key) =>
      webcrypto.subtle.importKey('pkcs8', Buffer.concat([PKCS8_HEAD, key]), 'X25519', true, ['deriveBits']),
    ),
  );
}

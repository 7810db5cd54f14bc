/** What a schema cannot say about the settings of object storage. */
import type { Settings } from './schema.ts';

export function findStorageProblems({ environment, storage, backup, secrets }: Settings): string[] {
  const isProduction = environment === 'production';
  const problems = [
    ...findBucketProblems('storage', storage.endpoint, isProduction, [
      secrets.storageAccessKeyId,
      secrets.storageSecretKey,
    ]),
    ...findBucketProblems('backup', backup.endpoint, isProduction, [
      secrets.backupAccessKeyId,
      secrets.backupSecretKey,
    ]),
  ];
  // Who can delete the one could delete the other.
  if (backup.endpoint !== '' && backup.endpoint === storage.endpoint)
    problems.push('backup.endpoint: must be another bucket than storage.endpoint');
  return problems;
}

function findBucketProblems(
  name: 'storage' | 'backup',
  endpoint: string,
  isProduction: boolean,
  keys: string[],
): string[] {
  if (endpoint === '') return [];
  const problems = [];
  if (keys.includes('')) {
    const variable = `POSTERN_${name.toUpperCase()}`;
    problems.push(
      `secrets.${name}AccessKeyId, secrets.${name}SecretKey: required with ${name}.endpoint (${variable}_ACCESS_KEY_ID, ${variable}_SECRET_KEY)`,
    );
  }
  const url = URL.parse(endpoint);
  if (!url || url.username || url.search || url.pathname === '/') {
    problems.push(`${name}.endpoint: must be the URL of a bucket, as https://s3.example.com/bucket`);
  } else if (isProduction && url.protocol !== 'https:' && !isLoopback(url.hostname)) {
    problems.push(`${name}.endpoint: must be https in production, unless it is on this machine`);
  }
  return problems;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

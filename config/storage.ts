/** What a schema cannot say about the settings of object storage. */
import type { Settings } from './schema.ts';

export function findStorageProblems({ environment, storage, secrets }: Settings): string[] {
  if (storage.endpoint === '') return [];
  const problems = [];
  if (!(secrets.storageAccessKeyId && secrets.storageSecretKey)) {
    problems.push(
      'secrets.storageAccessKeyId, secrets.storageSecretKey: required with storage.endpoint (POSTERN_STORAGE_ACCESS_KEY_ID, POSTERN_STORAGE_SECRET_KEY)',
    );
  }
  const url = URL.parse(storage.endpoint);
  if (!url || url.username || url.search || url.pathname === '/') {
    problems.push('storage.endpoint: must be the URL of a bucket, as https://s3.example.com/bucket');
  } else if (environment === 'production' && url.protocol !== 'https:' && !isLoopback(url.hostname)) {
    problems.push('storage.endpoint: must be https in production, unless it is on this machine');
  }
  return problems;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

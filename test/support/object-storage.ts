/** An S3-compatible server of a test's own (s3rver), with one bucket, and a hand on every request before it gets there. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3mini } from 's3mini';
import S3rver from 's3rver';

const BUCKET = 'sources';
/** What s3rver takes */
const KEY = 'S3RVER';

export interface ObjectStorage {
  /** Of the settings section `storage` */
  endpoint: string;
  /** Of the settings section `secrets` */
  secrets: { storageAccessKeyId: string; storageSecretKey: string };
  /** Called before each request; when it says true it has answered itself. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
  listKeys(): Promise<string[]>;
  close(): Promise<void>;
}

export const passOn: ObjectStorage['intercept'] = () => false;

export async function startObjectStorage(): Promise<ObjectStorage> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-s3-'));
  const s3 = new S3rver({ directory, silent: true, configureBuckets: [{ name: BUCKET, configs: [] }] });
  await s3.configureBuckets();
  const handle = s3.callback();
  const server = createServer(async (request, response) => {
    if (!(await storage.intercept(request, response))) handle(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const endpoint = `http://127.0.0.1:${address.port}/${BUCKET}`;
  const client = new S3mini({ endpoint, accessKeyId: KEY, secretAccessKey: KEY });

  const storage: ObjectStorage = {
    endpoint,
    secrets: { storageAccessKeyId: KEY, storageSecretKey: KEY },
    intercept: passOn,
    async listKeys() {
      return ((await client.listObjects()) ?? []).map(({ Key }) => Key);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(directory, { recursive: true });
    },
  };
  return storage;
}

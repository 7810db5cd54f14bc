/** A bucket of object storage that speaks S3, by the settings of storage.* or backup.*. */
import { S3mini } from 's3mini';

export interface S3BucketSettings {
  /** Empty: none is configured */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Of a request, until the last byte of its answer */
  timeoutMs: number;
}

/** Undefined: none is configured. */
export function openS3Bucket({
  endpoint,
  region,
  accessKeyId,
  secretAccessKey,
  timeoutMs,
}: S3BucketSettings): S3mini | undefined {
  if (endpoint === '') return undefined;
  return new S3mini({ endpoint, region, accessKeyId, secretAccessKey, requestAbortTimeout: timeoutMs });
}

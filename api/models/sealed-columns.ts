/** All columns with sealed values. A model that seals a new one adds it here; a test compares with the schema. */
import { sealedDkimKeys } from './dkim-key.ts';
import { sealedBasicAuth } from './inbound-endpoint.ts';
import type { SealedColumn } from './sealed.ts';
import { sealedWebhookSecrets } from './webhook.ts';
import { sealedWebhookKeys } from './webhook-key.ts';

export const sealedColumns: readonly SealedColumn[] = [
  sealedDkimKeys,
  sealedWebhookKeys,
  ...sealedWebhookSecrets,
  sealedBasicAuth,
];

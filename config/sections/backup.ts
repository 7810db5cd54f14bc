/** Backups of both databases (docs/backup.md). */
import Type from 'typebox';
import { section } from '../fields.ts';

const kept = (value: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 3_650, default: value, description });

export const backup = section({
  enabled: Type.Boolean({
    default: true,
    description: 'Whether a worker makes one each night, and verifies the newest each Sunday',
  }),
  directory: Type.String({
    default: '',
    description: 'Where they lie; empty: backups/ in the directory of the installation',
  }),
  endpoint: Type.String({
    pattern: '^$|^https?://',
    default: '',
    description:
      'URL of a bucket that speaks S3, for a copy of each; not the bucket of storage.endpoint; empty: none',
  }),
  region: Type.String({ minLength: 1, default: 'auto', description: 'As the storage calls it' }),
  recipients: Type.Array(Type.String({ pattern: '^age1[a-z0-9]+$' }), {
    default: [],
    description:
      'Public keys of age that can open them too, beside the master key; whose secret halves lie elsewhere',
  }),
  keepDaily: kept(7, 'The last of a day, for so many days that have one'),
  keepWeekly: kept(5, 'The last of a week, for so many weeks that have one'),
  keepMonthly: kept(12, 'The last of a month, for so many months that have one'),
});

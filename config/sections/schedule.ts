/** What comes by the clock (docs/operate.md). */
import Type from 'typebox';
import { section } from '../fields.ts';

export const schedule = section({
  mailTo: Type.String({
    pattern: '^$|^[^@\\s]+@[^@\\s]+$',
    default: '',
    description:
      'Who gets the results of backups and certificates, and is told when a periodic job fails, from webhooks.notificationAddress; empty: nobody',
  }),
});

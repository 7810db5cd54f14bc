/** What looks at messages before they are queued. */
import Type from 'typebox';
import { port, positive, section } from '../fields.ts';

export const spam = section({
  engine: Type.Enum(['none', 'rspamd'], {
    default: 'none',
    description: 'What checks messages before they are queued; bin/up chooses rspamd where it is installed',
  }),
  url: Type.String({
    pattern: '^https?://',
    default: 'http://127.0.0.1:11343',
    description: 'The normal worker of rspamd; RSPAMD_URL names one of your own',
  }),
  controllerUrl: Type.String({
    pattern: '^https?://',
    default: 'http://127.0.0.1:11344',
    description: 'The controller of rspamd, which learns from reviews',
  }),
  onFailure: Type.Enum(['defer', 'accept'], {
    default: 'defer',
    description: 'What happens to a message that cannot be checked: it waits, or it is sent unchecked',
  }),
  markScore: Type.Number({ default: 6, description: 'From here a message gets X-Spam: Yes' }),
  holdScore: Type.Number({
    default: 10,
    description: 'From here it is held until somebody has looked at it',
  }),
  refuseScore: Type.Number({ default: 15, description: 'From here it is not sent' }),
});

export const virus = section({
  engine: Type.Enum(['none', 'clamd'], {
    default: 'none',
    description: 'What looks for viruses in messages before they are queued',
  }),
  host: Type.String({ default: '127.0.0.1', description: 'TCPAddr of clamd' }),
  port: port(3310, 'TCPSocket of clamd'),
  socket: Type.String({
    pattern: '^$|^/',
    default: '',
    description: 'LocalSocket of clamd, a path that the mta may write to; empty: host and port',
  }),
  onFailure: Type.Enum(['defer', 'accept'], {
    default: 'defer',
    description: 'What happens to a message that cannot be checked: it waits, or it is sent unchecked',
  }),
  maxBytes: positive(
    33_554_432,
    'Longer messages are not shown to clamd, and are held, or sent with onFailure accept; no more than its StreamMaxLength',
  ),
});

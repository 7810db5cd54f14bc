/** SMTP submission. */
import Type from 'typebox';
import { port, positive, section } from '../fields.ts';

export const gateway = section({
  host: Type.String({ default: '127.0.0.1', description: 'Address of the three submission listeners' }),
  starttlsPort: port(1587, 'Submission with STARTTLS, 587 in production'),
  tlsPort: port(1465, 'Submission with implicit TLS, 465 in production'),
  alternativePort: port(1525, 'Submission with STARTTLS, 2525 in production'),
  monitorPort: port(3002, 'Health and metrics'),
  certificateFile: Type.String({
    default: '',
    description: 'PEM chain; empty outside production: self-signed',
  }),
  privateKeyFile: Type.String({ default: '', description: 'PEM private key of the certificate' }),
  certificateCheckSeconds: positive(
    10,
    'How often both files are read again; a changed pair serves new sessions, a bad one is refused',
  ),
  maxConnections: positive(1000, 'Sessions at a time over all listeners'),
  maxConnectionsPerClient: positive(50, 'Sessions at a time from one address (RS-4)'),
  maxConnectionsPerClientPerMinute: positive(1000, 'New sessions from one address in a minute (RS-4)'),
  maxBufferedBytes: positive(
    134_217_728,
    'Message bytes a gateway holds in memory at a time; beyond it 452 4.3.1',
  ),
  maxAuthenticationFailures: positive(3, 'Failed AUTHs before the session is closed (AU-4)'),
  maxAuthenticationFailuresPerAccount: positive(
    10,
    'Failed AUTHs from one address (IPv6: /64) with one user name in a window, over all gateways, before it is refused (AU-3)',
  ),
  maxAuthenticationFailuresPerClient: positive(50, 'The same with any user name'),
  authenticationWindowSeconds: positive(60, 'The window of both'),
  authenticationBlockSeconds: positive(300, 'How long an address with too many failed AUTHs is refused'),
  authenticationKeyPrefix: Type.String({
    pattern: '^[!-~]{1,100}$',
    default: 'postern:auth',
    description: 'Of the counts in Redis; gateways that share one count together',
  }),
  authenticationDelayMs: positive(500, 'A failed AUTH is answered no sooner, whatever its reason (AU-1)'),
  commandTimeoutMs: positive(60_000, 'Longest wait for one command, however slowly it drips in (RS-1)'),
  dataTimeoutMs: positive(540_000, 'Longest DATA; under ten minutes (RS-1)'),
  sessionTimeoutMs: positive(1_800_000, 'Longest session (RS-1)'),
  minDataBytesPerSecond: positive(500, 'A message that comes in more slowly is ended (RS-2)'),
  dataRateWindowMs: positive(60_000, 'The time over which minDataBytesPerSecond is measured'),
});

/** Certificates by ACME (docs/certificates.md). */
import Type from 'typebox';
import { port, positive, section } from '../fields.ts';

export const certificates = section({
  names: Type.Array(Type.String({ pattern: '^(\\*\\.)?[a-z0-9.-]+$' }), {
    default: [],
    description: 'Names of the one certificate that is asked for, the first is its own; empty: none is',
  }),
  directoryUrl: Type.String({
    pattern: '^https://',
    default: 'https://acme-v02.api.letsencrypt.org/directory',
    description: 'Of the ACME server (RFC 8555 7.1.1)',
  }),
  email: Type.String({
    pattern: '^$|^[^@\\s]+@[^@\\s]+$',
    default: '',
    description: 'Whom the authority may write to',
  }),
  challenge: Type.Enum(['http-01', 'dns-01'], {
    default: 'http-01',
    description: 'http-01 needs port 80 of every name; dns-01 a hook, and takes wildcards',
  }),
  httpPort: port(80, 'Where http-01 is answered, only while it is asked'),
  dnsHook: Type.String({
    default: '',
    description:
      'Program that is run as `HOOK present|remove _acme-challenge.NAME VALUE`, and ends when the record is served',
  }),
  renewBeforeDays: positive(30, 'How long before its end a certificate is renewed'),
  caFile: Type.String({
    default: '',
    description: 'PEM of authorities to trust beside those that Node brings',
  }),
});

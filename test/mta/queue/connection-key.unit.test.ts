import assert from 'node:assert/strict';
import { type ConnectionTerms, connectionKeyOf } from '../../../mta/queue/connection-key.ts';
import type { ConnectionSettings } from '../../../mta/zone-mta.ts';

describe('connectionKeyOf (OB-9)', () => {
  const delivery: ConnectionTerms = {
    domain: 'example.com',
    zoneAddress: { address: '192.0.2.1', name: 'mx1.example.net' },
    mxAuth: { user: 'one', pass: 'secret' },
  };
  const key = (changes: Partial<ConnectionTerms> = {}, zone: ConnectionSettings = {}) =>
    connectionKeyOf({ ...delivery, ...changes }, zone);

  it('is the same for deliveries that would open the same connection', () => {
    assert.equal(key(), key({ mxPort: 25, mxSecure: false }));
  });

  const others: [string, string][] = [
    ['another domain', key({ domain: 'example.org' })],
    ['another local address', key({ zoneAddress: { address: '192.0.2.2', name: 'mx1.example.net' } })],
    ['another name in EHLO', key({ zoneAddress: { address: '192.0.2.1', name: 'mx2.example.net' } })],
    ['another server', key({ mx: [{ exchange: 'relay.example.org' }] })],
    ['another port', key({ mxPort: 587 })],
    ['another user', key({ mxAuth: { user: 'two', pass: 'secret' } })],
    ['another password', key({ mxAuth: { user: 'one', pass: 'other' } })],
    ['no credentials', key({ mxAuth: undefined })],
    ['TLS from the start', key({ mxSecure: true })],
    ['no MTA-STS', key({ skipSTS: true })],
    ['no TLS at all', key({}, { ignoreTLS: true })],
    ['LMTP', key({ useLMTP: true })],
  ];
  for (const [what, other] of others) it(`differs with ${what}`, () => assert.notEqual(other, key()));

  it('differs between all of these', () => {
    assert.equal(new Set(others.map(([, other]) => other)).size, others.length);
  });

  it('shows no credentials', () => assert.doesNotMatch(key(), /secret|one/));
});

import assert from 'node:assert/strict';
import { siteOfMx } from '../../config/sites.ts';

describe('sites', () => {
  for (const [hostname, site] of [
    ['aspmx.l.google.com', 'google'],
    ['ALT1.ASPMX.L.GOOGLE.COM.', 'google'],
    ['example-com.mail.protection.outlook.com', 'microsoft'],
    ['mta5.am0.yahoodns.net', 'yahoo'],
    ['mx01.mail.icloud.com', 'apple'],
    ['mx00.emig.gmx.net', 'gmx'],
    ['mx.notgoogle.com', 'notgoogle.com'],
    ['mx1.mail.example.org', 'example.org'],
    ['mx.example.co.uk', 'example.co.uk'],
    ['mx.example.de', 'example.de'],
    ['localhost', 'localhost'],
    ['192.0.2.1', '192.0.2.1'],
    ['[2001:db8::1]', '[2001:db8::1]'],
    ['', ''],
  ] as const) {
    it(`${hostname || 'an empty name'} is of ${site || 'none'}`, () => {
      assert.equal(siteOfMx(hostname), site);
    });
  }
});

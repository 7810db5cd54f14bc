import assert from 'node:assert/strict';
import { loadSiteRules, paceOf, readSiteRules, siteOf, siteOfMx } from '../../lib/sites.ts';

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

  it('is of the first provider among the MX hosts', () => {
    assert.equal(siteOf(['mx.example.org', 'aspmx.l.google.com']), 'google');
    assert.equal(siteOf(['mx1.example.org', 'mx2.example.net']), 'example.org');
    assert.equal(siteOf([]), '');
  });

  it('have a pace each, others the default', () => {
    const rules = loadSiteRules();
    assert.ok(rules.paces.size >= 20);
    assert.notDeepEqual(paceOf('google'), rules.defaultPace);
    assert.deepEqual(paceOf('example.org'), rules.defaultPace);
  });

  const pace =
    'concurrency = { start = 2, floor = 1, ceiling = 3 }\nrate = { start = 2, floor = 1, ceiling = 3 }';
  for (const [what, toml, message] of [
    ['no default', '', /no file has a \[default\]/],
    ['an unknown key', `[default]\n${pace}\nfoo = 1`, /a\.toml: \/default/],
    ['a start below the floor', `[default]\n${pace.replace('start = 2', 'start = 0.5')}`, /floor <= start/],
    [
      'a suffix that two sites have',
      `[default]\n${pace}\n[[site]]\nname = "a"\nmx = ["a.test"]\n[[site]]\nname = "b"\nmx = ["a.test"]`,
      /a\.test is there twice/,
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => readSiteRules({ 'a.toml': toml }), message);
    });
  }
});

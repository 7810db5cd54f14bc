import assert from 'node:assert/strict';
import { classifyReply } from '../../../lib/bounces/classify.ts';
import { loadRules, readRules } from '../../../lib/bounces/rules.ts';
import { siteOfMx } from '../../../lib/sites.ts';

/** A host of each provider that has rules of its own. */
const hosts: Record<string, string> = {
  apple: 'mx01.mail.icloud.com',
  barracuda: 'd1.ess.barracudanetworks.com',
  gmx: 'mx00.gmx.net',
  google: 'gmail-smtp-in.l.google.com',
  mailru: 'mxs.mail.ru',
  microsoft: 'example-com.mail.protection.outlook.com',
  mimecast: 'eu-smtp-inbound-1.mimecast.com',
  orange: 'smtp-in.orange.fr',
  proofpoint: 'mx1.pphosted.com',
  yahoo: 'mta7.am0.yahoodns.net',
};

describe('bounce rules', () => {
  const files = loadRules();

  for (const { name, site, rules } of files) {
    describe(name, () => {
      const mx = site === undefined ? undefined : hosts[site];
      if (site !== undefined) {
        it('is about a site that there is', () => {
          assert.equal(siteOfMx(mx ?? assert.fail(`no host of ${site} in this test`)), site);
        });
      }
      for (const rule of rules) {
        it(`${rule.name} decides its example: ${rule.class}`, () => {
          const verdict = classifyReply(files, rule.example, mx);
          assert.deepEqual([verdict.rule, verdict.class], [rule.name, rule.class]);
        });
      }
    });
  }

  const mistakes: [string, string, RegExp][] = [
    ['an unknown class', 'class = "odd"\nphrases = ["x y"]\nexample = "550 x y"', /no class odd/],
    [
      'an unknown action',
      'class = "other"\naction = "pray"\nphrases = ["x y"]\nexample = "550 x y"',
      /no action pray/,
    ],
    ['no condition', 'class = "other"\nexample = "550 x"', /needs phrases, status or code/],
    ['an empty phrase', 'class = "other"\nphrases = ["..."]\nexample = "550 x"', /too short/],
    ['no example', 'class = "other"\nphrases = ["x y"]', /example/],
    ['an unknown key', 'class = "other"\nphrase = ["x y"]\nexample = "550 x"', /additional propert/],
  ];
  for (const [what, rule, message] of mistakes) {
    it(`refuses ${what}, and says where`, () => {
      assert.throws(
        () => readRules('mine', `[[rule]]\n${rule}\n`),
        (error: Error) => {
          assert.match(error.message, /mine/);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});

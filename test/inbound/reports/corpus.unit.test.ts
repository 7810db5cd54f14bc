/**
 * BN-1, BN-2: real bounces with labels (Sisimai's set, in a directory beside the project). A clone has no such directory:
 * then this is skipped.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../deploy/local/installation.ts';
import { judgeRecipient } from '../../../inbound/reports/judge.ts';
import { readReport } from '../../../inbound/reports/read-report.ts';
import type { Report } from '../../../inbound/reports/report.ts';
import { loadRules } from '../../../lib/bounces/rules.ts';

const directory = join(projectRoot, '../shared/corpus/bounces');
/** Of the labelled results. */
const MIN_AGREEMENT = 0.92;
/** Of the files that are bounces: nearly all name somebody. */
const MIN_ADDRESSED = 0.95;
const NO_BOUNCE = ['feedback', 'vacation'];
/** Sisimai's word for an unknown user who was told of after the data, or by a provider who says so of spam. */
const DEBATABLE = 'filtered';

interface Label {
  hard: boolean;
  reason: string;
}

interface Comparison extends Label {
  name: string;
  calledHard: boolean;
}

describe('the corpus of bounces', () => {
  const comparisons: Comparison[] = [];
  let bounces = 0;
  let addressed = 0;
  before(async function () {
    if (!existsSync(directory)) {
      console.log(`    skipped: there is no ${directory}`);
      this.skip();
    }
    const labels = JSON.parse(readFileSync(join(directory, 'labels.json'), 'utf8')) as Record<
      string,
      Label[]
    >;
    const rules = loadRules();
    for (const [file, expected] of Object.entries(labels)) {
      const report = await readReport(readFileSync(join(directory, file)));
      const recipients = report.kind === 'delivery' ? report.recipients : [];
      const isBounce = expected.some(({ reason }) => !NO_BOUNCE.includes(reason));
      bounces += Number(isBounce);
      addressed += Number(isBounce && recipients.some(({ address }) => address !== undefined));
      const called = recipients.map((recipient) => judgeRecipient(rules, recipient).isHard);
      expected.forEach((label, index) => {
        const calledHard = called[index] ?? (called.length === 1 && (called[0] ?? false));
        comparisons.push({ ...label, name: `${file}, ${index + 1} of ${expected.length}`, calledHard });
      });
    }
  });

  it('BN-1: hard and soft agree', () => {
    const agreeing = comparisons.filter(({ hard, calledHard }) => hard === calledHard);
    const share = agreeing.length / comparisons.length;
    console.log(`      ${agreeing.length} of ${comparisons.length}: ${(share * 100).toFixed(1)} %`);
    assert.ok(share >= MIN_AGREEMENT);
  });

  it('BN-1: nothing soft, blocked, or answered automatically is called hard', () => {
    const wrong = comparisons.filter(
      ({ hard, calledHard, reason }) => calledHard && !hard && reason !== DEBATABLE,
    );
    assert.deepEqual(wrong, []);
  });

  it('BN-1: the recipient is found', () => {
    const share = addressed / bounces;
    console.log(`      in ${addressed} of ${bounces} files: ${(share * 100).toFixed(1)} %`);
    assert.ok(share >= MIN_ADDRESSED);
  });

  it('BN-2: ordinary mail is no bounce', async () => {
    const names = readdirSync(join(directory, 'not')).filter((name) => name.startsWith('is-not-bounce'));
    assert.ok(names.length > 0);
    for (const name of names) {
      assert.deepEqual(await readReport(readFileSync(join(directory, 'not', name))), { kind: 'other' });
    }
  });

  it('BN-3: line ends make no difference', async () => {
    for (const name of readdirSync(directory).filter((file) => /-0[1-4]\.eml$/.test(file))) {
      const text = readFileSync(join(directory, name), 'latin1').replaceAll(/\r\n?/g, '\n');
      const asLf = await readReport(Buffer.from(text, 'latin1'));
      const asCrlf = await readReport(Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1'));
      // mailparser dates a quoted message that has no date with the present second.
      assert.deepEqual(withoutProse(asCrlf), withoutProse(asLf), name);
    }
  });
});

function withoutProse(report: Report): Report {
  if (report.kind !== 'delivery') return report;
  return { ...report, recipients: report.recipients.map((recipient) => ({ ...recipient, prose: '' })) };
}

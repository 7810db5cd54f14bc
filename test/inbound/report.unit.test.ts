/** DMARC and TLS reports, and what comes in their place: MB-12. */
import assert from 'node:assert/strict';
import { crc32, gzipSync } from 'node:zlib';
import { readDomainReport } from '../../inbound/report.ts';
import { MAX_UNPACKED_BYTES } from '../../inbound/reports/unpack.ts';
import type { DomainReport } from '../../lib/rpc/contracts/domain-reports.ts';

const nobody = { spf: { result: 'none', domain: null }, dkim: [] };

const record = (ip: string, count: number, dkim: string, spf = 'fail') =>
  `<record><row><source_ip>${ip}</source_ip><count>${count}</count><policy_evaluated>` +
  `<disposition>none</disposition><dkim>${dkim}</dkim><spf>${spf}</spf></policy_evaluated></row>` +
  '<identifiers><header_from>example.com</header_from></identifiers></record>';
/** RFC 7489 appendix C */
const dmarc = (records: string, before = '') =>
  `<?xml version="1.0"?>${before}<feedback><report_metadata><org_name>R &amp; D</org_name>` +
  '<report_id>77</report_id><date_range><begin>1700000000</begin><end>1700086399</end></date_range>' +
  '</report_metadata><policy_published><domain>Example.com</domain><p>none</p></policy_published>' +
  `${records}</feedback>`;
/** RFC 8460 appendix B */
const tls = {
  'organization-name': 'Company-X',
  'date-range': { 'start-datetime': '2016-04-01T00:00:00Z', 'end-datetime': '2016-04-01T23:59:59Z' },
  'report-id': '5065427c-23d3-47ca-b6e0-946ea0e8c4be',
  policies: [
    {
      policy: { 'policy-type': 'sts', 'policy-domain': 'company-y.example' },
      summary: { 'total-successful-session-count': 5326, 'total-failure-session-count': 303 },
      'failure-details': [
        {
          'result-type': 'certificate-expired',
          'receiving-mx-hostname': 'mx1.mail.company-y.example',
          'failed-session-count': 100,
        },
        {
          'result-type': 'starttls-not-supported',
          'receiving-mx-hostname': 'mx2.mail.company-y.example',
          'failed-session-count': 200,
        },
      ],
    },
  ],
};

function mail(content: Buffer, type = 'application/gzip', name = 'report.xml.gz'): Buffer {
  const head = [
    'From: reports@example.net',
    'Subject: Report Domain: example.com',
    'MIME-Version: 1.0',
    `Content-Type: ${type}; name="${name}"`,
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="${name}"`,
    '',
    '',
  ];
  const lines = content.toString('base64').replaceAll(/.{76}/g, '$&\r\n');
  return Buffer.from(`${head.join('\r\n')}${lines}\r\n`);
}

/** An archive of files that are stored as they are (APPNOTE 4.3). */
function zip(files: { name: string; content: Buffer; flags?: number; size?: number }[]): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const { name, content, flags = 0, size = content.length } of files) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, Buffer.from(name), content]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    const head = Buffer.from('PK\x01\x02\x14\x00', 'latin1');
    entries.push(Buffer.concat([head, common, rest, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06', 'latin1'), end]);
}

async function contentOf(raw: Buffer, kind: DomainReport['kind'] = 'dmarc') {
  const report = await readDomainReport(raw, kind, nobody);
  return report?.content;
}

describe('readDomainReport', () => {
  const expected = {
    state: 'read',
    domain: 'example.com',
    reporter: 'R & D',
    reportId: '77',
    beganAt: '2023-11-14T22:13:20.000Z',
    endedAt: '2023-11-15T22:13:19.000Z',
    rows: [
      { source: '192.0.2.1', result: 'none dkim=pass spf=fail', isPassed: true, messages: 3 },
      { source: '2001:db8::1', result: 'none dkim=fail spf=fail', isPassed: false, messages: 1 },
    ],
  };
  const xml = Buffer.from(dmarc(record('192.0.2.1', 3, 'pass') + record('2001:db8::1', 1, 'fail')));
  const forms: [string, Buffer][] = [
    ['gzip', mail(gzipSync(xml))],
    ['zip', mail(zip([{ name: 'report.xml', content: xml }]), 'application/zip', 'r.zip')],
    ['a path in a zip', mail(zip([{ name: '../../x', content: xml }]), 'application/zip', 'r.zip')],
    ['plain XML', mail(xml, 'text/xml', 'r.xml')],
  ];
  for (const [form, raw] of forms) {
    it(`reads a DMARC report as ${form}`, async () => {
      assert.deepEqual(await contentOf(raw), expected);
    });
  }

  it('reads a TLS report, and counts the failures that it gives no details of', async () => {
    const raw = mail(gzipSync(JSON.stringify(tls)), 'application/tlsrpt+gzip', 'r.json.gz');
    const content = await contentOf(raw, 'tls');
    assert.ok(content?.state === 'read');
    assert.equal(content.domain, 'company-y.example');
    assert.deepEqual(
      content.rows.map(({ source, result, isPassed, messages }) => [source, result, isPassed, messages]),
      [
        ['sts', 'success', true, 5326],
        ['mx1.mail.company-y.example', 'certificate-expired', false, 100],
        ['mx2.mail.company-y.example', 'starttls-not-supported', false, 200],
        ['sts', 'failure', false, 3],
      ],
    );
  });

  const bomb = Buffer.alloc(MAX_UNPACKED_BYTES + 1, ' ');
  const laughs =
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><feedback>&b;</feedback>';
  const external = dmarc('', '<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]>');
  const rejections: [string, Buffer, string][] = [
    ['a gzip bomb', gzipSync(bomb), 'too_large'],
    [
      'a zip that says how large it is',
      zip([{ name: 'a', content: xml, size: MAX_UNPACKED_BYTES + 1 }]),
      'damaged',
    ],
    ['a zip of two files', zip([1, 2].map((n) => ({ name: String(n), content: xml }))), 'several_files'],
    ['an encrypted zip', zip([{ name: 'a', content: xml, flags: 1, size: xml.length - 12 }]), 'encrypted'],
    ['a gzip without its end', gzipSync(xml).subarray(0, 40), 'damaged'],
    ['a billion laughs', gzipSync(laughs), 'document_type'],
    ['an external entity', gzipSync(external), 'document_type'],
    ['too many records', gzipSync(dmarc(record('192.0.2.1', 1, 'pass').repeat(13_000))), 'too_many_rows'],
    ['deep nesting', gzipSync('<a>'.repeat(100_000)), 'not_a_report'],
    ['another XML', gzipSync('<html><body/></html>'), 'not_a_report'],
    ['a source that is no address', gzipSync(dmarc(record('localhost', 1, 'pass'))), 'not_a_report'],
    ['nothing', Buffer.alloc(0), 'not_a_report'],
  ];
  for (const [what, attachment, reason] of rejections) {
    it(`MB-12: rejects ${what}`, async () => {
      assert.deepEqual(await contentOf(mail(attachment)), { state: 'rejected', reason });
    });
  }

  it('MB-12: rejects JSON that is no TLS report', async () => {
    for (const json of ['{', '[]', '{"policies":[]}', `${'['.repeat(100_000)}`]) {
      assert.deepEqual(await contentOf(mail(gzipSync(json)), 'tls'), {
        state: 'rejected',
        reason: 'not_a_report',
      });
    }
  });

  it('passes over a mail without an attachment', async () => {
    assert.equal(await contentOf(Buffer.from('Subject: hello\r\n\r\ntext\r\n')), undefined);
  });
});

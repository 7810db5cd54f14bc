/** Sections 1.2 and 8.3 of the contract, row by row: each field of a request, and what arrives of it. */
import assert from 'node:assert/strict';
import { newRecipient, postSend, readMessage, readRaw, waitForReceived } from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

const PNG = Buffer.from('not really a picture');
const IN_BASE64 = PNG.toString('base64');
const EXTENSIONS = 'jpeg jpg png gif txt pdf docx xlsx pptx csv att ics ical html zip auf xml dwg JPEG'.split(
  ' ',
);

describe('POST /send, fields (contract 1.2, 8.3)', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  /** Sends to somebody new, or to those named, and answers what they got. */
  async function deliver(fields: Record<string, unknown>, recipient = newRecipient()) {
    const asked = { from: `s@${stack.domain}`, to: recipient, textbody: 'Hello', ...fields };
    const { status, body } = await postSend(stack, asked);
    assert.deepEqual({ status, body }, { status: 200, body: { id: body.id, status: 'pending' } });
    assert.ok(Number.isInteger(body.id));
    const raw = await readRaw(stack, await waitForReceived(stack, recipient));
    return { id: body.id ?? 0, raw: unfold(raw) };
  }

  /** What a field becomes, and what must not be there. */
  const rows: [row: string, fields: (domain: string) => object, has: RegExp[], hasNot?: RegExp[]][] = [
    ['from: an address', (domain) => ({ from: `a@${domain}` }), [/^From: <?a@[\w.]+>?\r$/m]],
    [
      'from: name and address',
      (domain) => ({ from: `Full Name <a@${domain}>` }),
      [/^From: "?Full Name"? <a@[\w.]+>\r$/m],
    ],
    [
      'from: a quoted name with a comma in it',
      (domain) => ({ from: `"Name, Full" <a@${domain}>` }),
      [/^From: "Name, Full" <a@[\w.]+>\r$/m],
    ],
    [
      'htmlbody alone, without html tags',
      () => html('<p>Hi</p>'),
      [/text\/html/, /<p>Hi<\/p>/],
      [/text\/plain/],
    ],
    [
      'htmlbody with html tags',
      () => html('<html><body>Hi</body></html>'),
      [/<html><body>Hi<\/body><\/html>/],
    ],
    ['textbody alone', () => ({ textbody: 'Just text' }), [/text\/plain/, /Just text/], [/text\/html/]],
    [
      'both bodies',
      () => ({ textbody: 'as text', htmlbody: '<b>as html</b>' }),
      [/multipart\/alternative/, /as text[\s\S]*<b>as html<\/b>/],
    ],
    ['subject', () => ({ subject: 'Hello there' }), [/^Subject: Hello there\r$/m]],
    ['subject that is not ASCII', () => ({ subject: 'Größe' }), [/^Subject: =\?UTF-8\?[QB]\?[^?]+\?=\r$/m]],
    ['no subject', () => ({}), [], [/^Subject:/m]],
    ['replyto', () => ({ replyto: 'r@example.test' }), [/^Reply-To: r@example\.test\r$/m]],
    [
      'replyto: a list, as clients send it',
      () => ({ replyto: 'r@example.test, Two <s@example.test>' }),
      [/^Reply-To: r@example\.test, "?Two"? <s@example\.test>\r$/m],
    ],
    ['inreplyto', () => ({ inreplyto: '<one@example.test>' }), [/^In-Reply-To: <one@example\.test>\r$/m]],
    [
      'references, separated by spaces',
      () => ({ references: '<one@example.test> <two@example.test>' }),
      [/^References: <one@example\.test> <two@example\.test>\r$/m],
    ],
    [
      'list_unsubscribe, as it is',
      () => ({ list_unsubscribe: '<http://example.test/u>, <mailto:u@example.test>' }),
      [/^List-Unsubscribe: <http:\/\/example\.test\/u>, <mailto:u@example\.test>\r$/m],
    ],
    [
      'attachments: without a cid',
      () => attach({}),
      [/^Content-Type: image\/png; name="?a\.png"?/m, /^Content-Disposition: attachment;/m, body()],
      [/^Content-ID:/m],
    ],
    ['attachments: white space in the base64', () => attach({ content: spaced(IN_BASE64) }), [body()]],
    ...['pic.1', '<pic.1>', 'cid:pic.1'].map(
      (cid) =>
        [
          `attachments: inline by the cid ${cid}`,
          () => attach({ cid }),
          [/^Content-Disposition: inline;/m, /^Content-ID: <pic\.1>\r$/m],
        ] as [string, () => object, RegExp[]],
    ),
    [
      `attachments: ${EXTENSIONS.join(' ')}`,
      () => ({
        attachments: EXTENSIONS.map((extension) => ({
          name: `file.${extension}`,
          content: IN_BASE64,
          content_type: 'application/octet-stream',
        })),
      }),
      EXTENSIONS.map((extension) => new RegExp(`filename="?file\\.${extension}"?`)),
    ],
    ...[
      ['""', ''],
      ['null', null],
      ['[]', []],
    ].map(
      ([written, value]) =>
        [
          `${written} is as good as absent, in every field`,
          () =>
            Object.fromEntries(
              'htmlbody cc bcc subject replyto inreplyto references list_unsubscribe tags attachments'
                .split(' ')
                .map((name) => [name, value]),
            ),
          [/Hello/],
          [/^(Cc|Subject|Reply-To|In-Reply-To|References|List-Unsubscribe):/m, /multipart/],
        ] as [string, () => object, RegExp[], RegExp[]],
    ),
    ['keys that nobody knows are ignored', () => ({ message_stream: 'x', TextBody: 'no' }), [/Hello/]],
  ];
  for (const [row, fields, has, hasNot = []] of rows) {
    it(row, async () => {
      const { raw } = await deliver({ ...fields(stack.domain) });
      for (const pattern of has) assert.match(raw, pattern);
      for (const pattern of hasNot) assert.doesNotMatch(raw, pattern);
    });
  }

  for (const [row, separator] of [
    ['a comma', ','],
    ['a comma and a space', ', '],
  ] as const) {
    it(`to: a list with ${row}, names with and without quotes`, async () => {
      const recipients = [newRecipient(), newRecipient(), newRecipient()];
      const [first = '', second = '', third = ''] = recipients;
      const to = [first, `Two <${second}>`, `"Three, Third" <${third}>`].join(separator);
      const { raw } = await deliver({ to }, first);
      for (const recipient of recipients) {
        await waitForReceived(stack, recipient);
        assert.ok(raw.includes(recipient));
      }
      assert.match(raw, /"Three, Third" </);
    });
  }

  for (const field of ['cc', 'bcc']) {
    it(`${field}: a list`, async () => {
      const [first, second] = [newRecipient(), newRecipient()];
      const { raw } = await deliver({ [field]: `${first}, Second <${second}>` });
      for (const recipient of [first, second]) {
        await waitForReceived(stack, recipient);
        assert.equal(raw.includes(recipient), field === 'cc');
      }
      assert.doesNotMatch(raw, /^bcc:/im);
    });
  }

  for (const [row, tags, expected] of [
    ['a list', ['one', 'two'], ['one', 'two']],
    ['a string', 'one', ['one']],
  ] as const) {
    it(`tags: ${row}`, async () => {
      const { id, raw } = await deliver({ tags });
      const message = (await readMessage(stack, id)) as object;
      assert.deepEqual('tags' in message && message.tags, expected);
      assert.doesNotMatch(raw, /^X-.*Tags?:/im);
    });
  }

  it('to: fifty addresses', async () => {
    const recipients = Array.from({ length: 50 }, () => newRecipient());
    const { id } = await deliver({ to: recipients.join(', ') }, recipients.at(-1));
    assert.equal((await readMessage(stack, id)).recipients.length, 50);
  });

  it('a message of nearly 30 MB is taken, one above is not', async () => {
    const encoded = (bytes: number) => Buffer.alloc(bytes, 'x').toString('base64');
    const file = (bytes: number) => ({ name: 'a.txt', content: encoded(bytes), content_type: 'text/plain' });
    const asked = { from: `s@${stack.domain}`, to: newRecipient(), textbody: 'large' };

    const taken = await postSend(stack, { ...asked, attachments: [file(21_500_000)] });
    assert.equal(taken.status, 200);
    // Base64 in lines: 23,500,000 bytes become more than 31,457,280.
    const refused = await postSend(stack, { ...asked, attachments: [file(23_500_000)] });
    assert.deepEqual(refused, { status: 413, body: { error: 'Email exceeds the maximum size of 30 MB' } });
  });
});

function html(htmlbody: string): object {
  return { htmlbody, textbody: undefined };
}

function attach(changes: object): object {
  return { attachments: [{ name: 'a.png', content: IN_BASE64, content_type: 'image/png', ...changes }] };
}

function body(): RegExp {
  return new RegExp(IN_BASE64.replaceAll('+', '\\+'));
}

function spaced(base64: string): string {
  return base64.replaceAll(/(.{8})/g, '$1\r\n ');
}

/** RFC 5322 2.2.3 */
function unfold(raw: string): string {
  return raw.replaceAll(/\r\n[ \t]+/g, ' ');
}

/** The mailbox for people. No scripts; mail's own HTML is shown as text, never as HTML. */
import { type Html, html } from './html.ts';
import type { StoredMessage } from './mailbox.ts';

/** The pages load nothing but the style sheet. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f6f6; padding: 1rem; }
.pass { color: #17692b; } .fail, .temperror, .permerror { color: #a4161a; }
`;

const MAX_SOURCE_CHARACTERS = 200_000;

export interface MailboxView {
  /** Newest first. */
  messages: StoredMessage[];
  total: number;
  recipient: string;
}

export function mailboxPage({ messages, total, recipient }: MailboxView): string {
  return page(
    'Postern sandbox',
    html`<h1>Postern sandbox</h1>
<form><label>Recipient <input name="recipient" value="${recipient}"></label> <button>Filter</button></form>
<p>${messages.length} of ${total} messages, newest first. <a href="/messages">As JSON</a></p>
<table>
<tr><th>Received</th><th>From</th><th>To</th><th>Subject</th><th>SPF</th><th>DKIM</th><th>DMARC</th><th>TLS</th><th>Bytes</th></tr>
${messages.map(mailboxRow)}
</table>`,
  );
}

function mailboxRow({ id, receivedAt, envelope, subject, authentication, tls, size }: StoredMessage): Html {
  return html`<tr>
<td>${receivedAt}</td><td>${envelope.from || '<>'}</td><td>${envelope.to.join(', ')}</td>
<td><a href="/messages/${id}/page">${subject || '(no subject)'}</a></td>
${[authentication.spf, authentication.dkim, authentication.dmarc].map(resultCell)}
<td>${tls?.version ?? 'none'}</td><td>${size}</td>
</tr>
`;
}

function resultCell(result: string): Html {
  return html`<td class="${result}">${result}</td>`;
}

export function messagePage(message: StoredMessage): string {
  const { id, receivedAt, envelope, subject, authentication, signatures, tls, client, size, raw } = message;
  const rows: [string, string][] = [
    ['Received', receivedAt],
    ['Envelope', `${envelope.from || '<>'} to ${envelope.to.join(', ')}`],
    ['Client', `${client.helo} [${client.address}]`],
    ['TLS', tls ? `${tls.version} ${tls.cipher}` : 'none'],
    ['SPF', authentication.spf],
    ['DKIM', authentication.dkim],
    ['DMARC', authentication.dmarc],
    ...signatures.map(({ domain, selector, result }): [string, string] => [
      'Signature',
      `${selector}._domainkey.${domain}: ${result}`,
    ]),
    ['Bytes', String(size)],
  ];
  return page(
    subject || '(no subject)',
    html`<p><a href="/">All messages</a></p>
<h1>${subject || '(no subject)'}</h1>
<table>${rows.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>\n`)}</table>
<p><a href="/messages/${id}/raw">As received</a></p>
<pre>${raw.toString('utf8', 0, MAX_SOURCE_CHARACTERS)}</pre>`,
  );
}

function page(title: string, content: Html): string {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title><link rel="stylesheet" href="/style.css"></head>
<body>
${content}
</body>
</html>
`.text;
}

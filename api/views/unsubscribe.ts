/** The pages behind a link to unsubscribe: for a person with a browser, without a script, without anything from elsewhere. */

const STYLE =
  'body{font:1.1em/1.5 system-ui,sans-serif;max-width:32em;margin:4em auto;padding:0 1em;color:#222}' +
  'button{font:inherit;padding:.5em 1.5em}';

/** The form posts what a mail client posts by itself (RFC 8058 3.2), to the page's own address. */
export function askPage({ recipient, domain }: { recipient: string; domain: string }): string {
  return page(
    'Unsubscribe',
    `<p>Do you want no more mail of this kind from <b>${escapeHtml(domain)}</b> to <b>${escapeHtml(recipient)}</b>?</p>
<form method="post"><button name="List-Unsubscribe" value="One-Click">Unsubscribe</button></form>`,
  );
}

export function donePage({ recipient, domain }: { recipient: string; domain: string }): string {
  return page(
    'Unsubscribed',
    `<p>No more mail of this kind goes from <b>${escapeHtml(domain)}</b> to <b>${escapeHtml(recipient)}</b>.</p>`,
  );
}

export function unknownPage(): string {
  return page('Not found', '<p>This link is not complete, or not one of ours.</p>');
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<title>${title}</title><style>${STYLE}</style>
</head>
<body><h1>${title}</h1>
${content}
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

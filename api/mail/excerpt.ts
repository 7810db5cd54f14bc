/** What a webhook says of a message: read from its source as it was stored, however it came in. */
import { type AddressObject, simpleParser } from 'mailparser';
import { splitMessage } from '../../lib/mail/header-block.ts';

/** Texts come before attachments, and a webhook has room for less than this. */
export const EXCERPT_BYTES = 256 * 1024;

export interface Excerpt {
  to: string | null;
  cc: string | null;
  replyTo: string | null;
  listUnsubscribe: string | null;
  html: string | null;
  text: string | null;
}

export const EMPTY_EXCERPT: Excerpt = {
  to: null,
  cc: null,
  replyTo: null,
  listUnsubscribe: null,
  html: null,
  text: null,
};

/** @param head the first EXCERPT_BYTES of the message, or all of it */
export async function readExcerpt(head: Buffer): Promise<Excerpt> {
  const parsed = await simpleParser(head, {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipImageLinks: true,
    skipTextLinks: true,
  });
  const unsubscribe = splitMessage(head).fields.find(({ name }) => name === 'list-unsubscribe')?.value;
  return {
    to: textOf(parsed.to),
    cc: textOf(parsed.cc),
    replyTo: textOf(parsed.replyTo),
    listUnsubscribe: unsubscribe || null,
    html: parsed.html || null,
    text: parsed.text || null,
  };
}

/** A header that stands there twice is one list. */
function textOf(addresses: AddressObject | AddressObject[] | undefined): string | null {
  const list = addresses === undefined ? [] : [addresses].flat();
  return list.map(({ text }) => text).join(', ') || null;
}

/** A stored message, taken apart again: its texts and its attachments, however it came in. */
import { type Attachment, simpleParser } from 'mailparser';

export interface Parts {
  text: string | null;
  html: string | null;
  /** In the order they stand; inline images are among them */
  attachments: AttachedFile[];
}

export interface AttachedFile {
  name: string | null;
  /** As the message says, without parameters; `application/octet-stream` where it says nothing that is a type */
  contentType: string;
  /** Content-ID without brackets */
  cid: string | null;
  isInline: boolean;
  content: Uint8Array;
}

export interface PartsOptions {
  /** Images that the html names by cid: are put into it. */
  inlinesImages?: boolean;
}

/** Undefined: it has more than 1,000 parts, or a header of more than a megabyte. */
export async function parseParts(
  source: Buffer,
  { inlinesImages = false }: PartsOptions,
): Promise<Parts | undefined> {
  const parsed = await simpleParser(source, {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: !inlinesImages,
  }).catch(refuseTooLarge);
  return (
    parsed && {
      text: parsed.text ?? null,
      html: parsed.html || null,
      attachments: parsed.attachments.map(toFile),
    }
  );
}

/** RFC 2045 5.1 */
const MIME_TYPE = /^[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*$/i;

function toFile({ filename, contentType, cid, contentDisposition, content }: Attachment): AttachedFile {
  return {
    name: filename || null,
    contentType: MIME_TYPE.test(contentType) ? contentType.toLowerCase() : 'application/octet-stream',
    cid: cid ?? null,
    isInline: contentDisposition === 'inline',
    content,
  };
}

/** The limits of the parser (mailsplit). */
function refuseTooLarge(error: Error & { code?: string }): undefined {
  if (error.code !== 'EMAXLEN') throw error;
}

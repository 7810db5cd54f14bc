/** The report in an attachment, unpacked within limits (MB-12): ten megabytes, one file in an archive. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Entry, fromBuffer, type ZipFile } from 'yauzl';

export const MAX_UNPACKED_BYTES = 10 * 1024 * 1024;

const ENCRYPTED = 0x1;

export type Unpacked =
  | { ok: true; content: Buffer }
  | { ok: false; reason: 'too_large' | 'several_files' | 'encrypted' | 'damaged' };

const inflate = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

/** By its first bytes: what an attachment calls itself says little. Content that is not packed comes back as it is. */
export async function unpack(content: Buffer): Promise<Unpacked> {
  if (content.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return unpackGzip(content);
  if (content.subarray(0, 2).toString('latin1') === 'PK') return unpackZip(content);
  return content.length > MAX_UNPACKED_BYTES ? { ok: false, reason: 'too_large' } : { ok: true, content };
}

async function unpackGzip(content: Buffer): Promise<Unpacked> {
  try {
    return { ok: true, content: await inflate(content, { maxOutputLength: MAX_UNPACKED_BYTES }) };
  } catch (error) {
    const isTooLarge = error instanceof RangeError;
    return { ok: false, reason: isTooLarge ? 'too_large' : 'damaged' };
  }
}

/** Nothing is written anywhere, so the names in an archive do not matter. */
async function unpackZip(content: Buffer): Promise<Unpacked> {
  try {
    const zip = await openZip(content);
    if (zip.entryCount !== 1) return { ok: false, reason: 'several_files' };
    const entry = await readEntry(zip);
    if (entry.generalPurposeBitFlag & ENCRYPTED) return { ok: false, reason: 'encrypted' };
    if (entry.uncompressedSize > MAX_UNPACKED_BYTES) return { ok: false, reason: 'too_large' };
    return { ok: true, content: await readContent(zip, entry) };
  } catch {
    return { ok: false, reason: 'damaged' }; // yauzl says in words what is wrong; to us it is all one
  }
}

function openZip(content: Buffer): Promise<ZipFile> {
  const options = { lazyEntries: true, decodeStrings: false } as const;
  return new Promise((resolve, reject) => {
    fromBuffer(content, options, (error, zip) => (zip ? resolve(zip) : reject(error)));
  });
}

function readEntry(zip: ZipFile): Promise<Entry> {
  return new Promise((resolve, reject) => {
    zip
      .once('entry', resolve)
      .once('error', reject)
      .once('end', () => reject(new Error('no entry')));
    zip.readEntry();
  });
}

/** yauzl ends the stream with an error where it holds more than the entry says. */
function readContent(zip: ZipFile, entry: Entry): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => {
      if (!stream) return reject(error);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('end', () => resolve(Buffer.concat(chunks))).once('error', reject);
    });
  });
}

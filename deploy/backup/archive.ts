/**
 * The file of a backup: a tar archive, compressed by zstd, encrypted by age. Each is a format of its own with tools of its
 * own, so that `age -d backup.tar.zst.age | zstd -d | tar x` opens one without Postern.
 *
 * age encrypts in chunks that know their order and which is the last: a file that was cut short or changed does not open.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable, type Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { Decrypter, Encrypter } from 'age-encryption';
import { extract, pack } from 'tar-stream';

export interface ArchiveWriter {
  add(name: string, content: Buffer): Promise<void>;
}

export interface ArchiveEntry {
  name: string;
  /** To be read to its end before the next comes */
  content: AsyncIterable<Buffer>;
}

interface TarEntry extends AsyncIterable<Buffer> {
  header: { name: string };
}

/** Makes a new file, which is on the disk when this resolves. @throws where there is one already */
export async function writeArchive(
  path: string,
  encrypter: Encrypter,
  fill: (archive: ArchiveWriter) => Promise<void>,
): Promise<void> {
  const archive = pack();
  const compressed: Transform = createZstdCompress();
  const sealed = await encrypter.encrypt(Readable.toWeb(compressed) as ReadableStream<Uint8Array>);
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true });
  const written = Promise.all([
    pipeline(archive, compressed),
    pipeline(Readable.fromWeb(sealed as ReadableStream<Uint8Array>), file),
  ]);
  const add = (name: string, content: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const entry = archive.entry({ name, size: content.length, mode: 0o600 }, (error) =>
        error ? reject(error) : resolve(),
      );
      entry.end(content);
    });
  try {
    // A full disk ends `written`, and `fill` would wait for ever.
    await Promise.race([fill({ add }), written.then(() => {})]);
    archive.finalize();
    await written;
  } catch (error) {
    archive.destroy();
    file.destroy();
    await written.catch(() => {}); // it is why we are here, or follows from it
    throw error;
  }
}

/**
 * @throws where it cannot be opened, was changed, or ends too early: perhaps only after the last entry
 */
export async function* readArchive(
  source: Readable,
  decrypter: Decrypter,
): AsyncGenerator<ArchiveEntry, void, void> {
  const plain = await decrypter.decrypt(Readable.toWeb(source) as ReadableStream<Uint8Array>);
  const archive = extract();
  const read = pipeline(
    Readable.fromWeb(plain as ReadableStream<Uint8Array>),
    createZstdDecompress(),
    archive as unknown as NodeJS.WritableStream,
  );
  read.catch(() => {}); // shown below
  try {
    for await (const entry of archive as unknown as AsyncIterable<TarEntry>) {
      yield { name: entry.header.name, content: entry };
    }
  } catch (error) {
    await read;
    throw error;
  }
  await read;
}

/** The whole of a small entry. */
export async function readEntry({ content }: ArchiveEntry): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

export async function openFile(path: string): Promise<Readable> {
  const stream = createReadStream(path);
  await Promise.race([
    new Promise<void>((resolve) => void stream.once('open', () => resolve())),
    finished(stream, { readable: true }),
  ]);
  return stream;
}

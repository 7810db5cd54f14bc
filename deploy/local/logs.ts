/** The ends of the log files that pm2 writes, for messages about a process that fails. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from './installation.ts';

const TAIL_BYTES = 16_384;
const TAIL_LINES = 20;

/** The last lines of a process, each indented; of a file of any size only its end is read. */
export function readLastLines({ logDirectory }: Installation, process: string): string {
  const file = join(logDirectory, `${process}.log`);
  if (!existsSync(file)) return `    (${file} does not exist)`;
  const lines = readTail(file).trimEnd().split('\n').slice(-TAIL_LINES);
  return lines.map((line) => `    ${line}`).join('\n');
}

function readTail(file: string): string {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString();
  } finally {
    closeSync(descriptor);
  }
}

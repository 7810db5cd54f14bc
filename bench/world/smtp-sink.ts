/** Where the mail goes: `smtp-sink` of Postfix, which takes everything and counts. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from './children.ts';
import { isListening } from './listening.ts';
import { waitUntil } from './wait.ts';

const MAX_CONNECTIONS = 2_000;
const BACKLOG = 1_000;
/** Longer than one line of its counters. */
const TAIL_BYTES = 200;

export interface SinkCounters {
  /** Connections that have ended. */
  connections: number;
  messages: number;
}

export interface SmtpSink {
  pid: number;
  read(): SinkCounters;
  stop(): Promise<void>;
}

export async function startSmtpSink(directory: string, port: number): Promise<SmtpSink> {
  const file = join(directory, `smtp-sink-${Date.now()}.log`);
  const child = startChild({
    command: 'smtp-sink',
    parameters: [
      ...['-4', '-c', '-m', String(MAX_CONNECTIONS)],
      ...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), // it refuses to stay root
      ...[`127.0.0.1:${port}`, String(BACKLOG)],
    ],
    directory,
    logFile: file,
  });
  await waitUntil('smtp-sink', () => isListening(port));
  const counters = openSync(file, 'r');
  return {
    pid: child.pid,
    read: () => parseCounters(readTail(counters)),
    async stop() {
      await child.stop('SIGKILL');
      closeSync(counters);
    },
  };
}

/** The last complete `sess=… quit=… mesg=…\r` of its output; the counters restart with each smtp-sink. */
export function parseCounters(output: string): SinkCounters {
  const last = [...output.matchAll(/sess=(\d+) quit=\d+ mesg=(\d+)\r/g)].at(-1);
  return { connections: Number(last?.[1] ?? 0), messages: Number(last?.[2] ?? 0) };
}

function readTail(file: number): string {
  const buffer = Buffer.alloc(TAIL_BYTES);
  const start = Math.max(0, fstatSync(file).size - TAIL_BYTES);
  return buffer.toString('latin1', 0, readSync(file, buffer, 0, TAIL_BYTES, start));
}

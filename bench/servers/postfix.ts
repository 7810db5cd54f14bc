/** Debian's Postfix with OpenDKIM, in directories of their own: nothing in /etc/postfix is read or changed. */
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readProcesses, selectTree } from '../measure/processes.ts';
import { type Child, endGroupWithUs, startChild } from '../world/children.ts';
import { isListening } from '../world/listening.ts';
import { waitUntil } from '../world/wait.ts';
import { runCommand } from './commands.ts';
import type { MailServer } from './mail-server.ts';
import { formatMain, formatMaster, formatOpendkim, listTables, type PostfixFacts } from './postfix-config.ts';

/** Removing a message from the queue follows its delivery. */
const EMPTY_QUEUE = 'Mail queue is empty';

export function createPostfix(options: PostfixFacts & { privateKey?: string }): MailServer {
  const { directory, intakePort } = options;
  const configuration = ['-c', join(directory, 'etc')];
  prepareFiles(options);
  let running: { opendkim: Child | undefined; master: number; forget: () => void } | undefined;

  return {
    name: 'postfix',
    intakePort,
    async start() {
      const opendkim = await startOpendkim(options);
      await runCommand('/usr/sbin/postfix', [...configuration, 'start']);
      const master = Number(readFileSync(join(directory, 'queue/pid/master.pid'), 'utf8'));
      running = { opendkim, master, forget: endGroupWithUs(master) };
    },
    async stop() {
      if (!running) return;
      await runCommand('/usr/sbin/postfix', [...configuration, 'stop']);
      await running.opendkim?.stop('SIGTERM');
      running.forget();
      running = undefined;
    },
    listProcesses() {
      if (!running) return {};
      const processes = readProcesses();
      return {
        postfix: selectTree(processes, running.master),
        ...(running.opendkim && { opendkim: selectTree(processes, running.opendkim.pid) }),
      };
    },
    countReported: () => 0, // nobody keeps track but its log
    settle: () =>
      waitUntil('an empty queue', async () => {
        const output = await runCommand('postqueue', [...configuration, '-p']);
        return output.includes(EMPTY_QUEUE);
      }),
  };
}

async function startOpendkim({ directory, milterPort }: PostfixFacts): Promise<Child | undefined> {
  if (milterPort === undefined) return undefined;
  const opendkim = startChild({
    command: '/usr/sbin/opendkim',
    parameters: ['-f', '-x', join(directory, 'opendkim.conf')],
    directory,
    logFile: join(directory, 'opendkim.log'),
  });
  await waitUntil('opendkim', () => isListening(milterPort));
  return opendkim;
}

function prepareFiles(options: PostfixFacts & { privateKey?: string }): void {
  const { directory, account, privateKey } = options;
  for (const name of ['etc', 'queue', 'data']) mkdirSync(join(directory, name), { recursive: true });
  chmodSync(directory, 0o755);
  chownSync(join(directory, 'data'), account.uid, account.gid);
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  write('etc/main.cf', formatMain(options));
  write('etc/master.cf', formatMaster(options));
  write('opendkim.conf', formatOpendkim(options));
  for (const [name, text] of Object.entries(listTables(options))) write(name, text);
  if (privateKey) writeFileSync(join(directory, 'dkim.pem'), privateKey, { mode: 0o600 });
}

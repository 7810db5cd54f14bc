/** The mail servers of a benchmark, prepared but not started, and what they share: key, sink, directory. */
import { join, resolve } from 'node:path';
import { findFreePorts, makeDirectory } from '../world/directory.ts';
import { createSigningKey } from '../world/signature.ts';
import { createInstallation, type Override } from './installation.ts';
import type { MailServer } from './mail-server.ts';
import { createPostern } from './postern.ts';
import { createPostfix } from './postfix.ts';
import { ensurePostfix, findPostfixAccount } from './postfix-package.ts';

export type ServerName = MailServer['name'];

export interface ContestOptions {
  names: readonly ServerName[];
  /** Settings of Postern */
  overrides: readonly Override[];
  /** Postfix' deliveries at a time */
  concurrency: number;
  /** Recipient domains */
  destinations: number;
  /** Parent of the temporary directory; undefined: the system's */
  parent?: string | undefined;
  profileDirectory?: string | undefined;
}

export interface Contest {
  servers: MailServer[];
  directory: string;
  /** Where all mail is delivered to. */
  sinkPort: number;
  /** PEM, what both sign with */
  privateKey: string;
  close(): Promise<void>;
}

export async function prepareContest(options: ContestOptions): Promise<Contest> {
  await ensurePostfix(); // smtp-source and smtp-sink come with it
  const directory = makeDirectory(options.parent);
  const privateKey = createSigningKey();
  const [sinkPort = 0, intakePort = 0, milterPort = 0] = await findFreePorts(3);
  const closers: (() => Promise<void>)[] = [];
  const create = {
    async postern() {
      const { overrides, profileDirectory } = options;
      const settings = await createInstallation(join(directory, 'postern'), { sinkPort, overrides });
      const postern = await createPostern({
        settings,
        privateKey,
        profileDirectory: profileDirectory && resolve(profileDirectory),
      });
      closers.push(postern.close);
      return postern;
    },
    async postfix() {
      const { concurrency, destinations } = options;
      const account = await findPostfixAccount();
      const facts = { intakePort, milterPort, sinkPort, privateKey, concurrency, destinations, account };
      return createPostfix({ directory: join(directory, 'postfix'), ...facts });
    },
  };
  const servers: MailServer[] = [];
  for (const name of options.names) servers.push(await create[name]());
  return {
    servers,
    directory,
    sinkPort,
    privateKey,
    close: async () => void (await Promise.all(closers.map((close) => close()))),
  };
}

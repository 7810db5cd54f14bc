/** A client that a public generator makes from the document of the running api: it compiles, and its mail arrives. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { newRecipient, waitForStatus } from '../support/mail.ts';
import { readStack } from '../support/stack.ts';

const run = promisify(execFile);
const program = (name: string) => resolve('node_modules/.bin', name);

const compilerOptions = {
  ...{ target: 'es2024', module: 'nodenext', lib: ['es2024', 'dom', 'dom.iterable'], types: [] },
  ...{ strict: true, noEmit: true, allowImportingTsExtensions: true },
};

/** As an application would: what it gives and takes is checked by the compiler. */
const APPLICATION = `
import { sendMessage, showMessage } from './client.ts';

const [token = '', from = '', to = ''] = process.argv.slice(2);
const headers = { 'MailPace-Server-Token': token };
const sent = await sendMessage({ from, to, subject: 'Generated', textbody: 'Hi' }, { headers });
if (sent.status !== 200) throw new Error(JSON.stringify(sent.data));
const id: number = sent.data.id;
const shown = await showMessage(String(id), { headers });
if (shown.status !== 200) throw new Error(JSON.stringify(shown.data));
const recipients: string[] = shown.data.recipients.map(({ address }) => address);
console.log(JSON.stringify({ id, recipients }));

declare const process: { argv: string[] };
`;

describe('a generated client', () => {
  let directory = '';

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-client-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  const write = (name: string, content: string) => writeFileSync(join(directory, name), content);

  it('compiles, and sends a mail that is delivered', async () => {
    const stack = readStack();
    const document = await fetch(`${stack.api}/api/v1/openapi.json`);
    write('openapi.json', await document.text());
    const output = { target: './client.ts', client: 'fetch', baseUrl: stack.api };
    const config = { postern: { input: './openapi.json', output } };
    write('orval.config.mjs', `export default ${JSON.stringify(config)};`);
    write('application.ts', APPLICATION);
    write('package.json', JSON.stringify({ type: 'module' }));
    write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts'] }));

    await run(program('orval'), ['--config', 'orval.config.mjs'], { cwd: directory });
    await run(program('tsc'), ['--project', directory]);
    const recipient = newRecipient();
    const { stdout } = await run(process.execPath, [
      join(directory, 'application.ts'),
      ...[stack.token, `generated@${stack.domain}`, recipient],
    ]);

    const { id, recipients } = JSON.parse(stdout) as { id: number; recipients: string[] };
    assert.deepEqual(recipients, [recipient]);
    await waitForStatus(stack, id, 'delivered');
  });
});

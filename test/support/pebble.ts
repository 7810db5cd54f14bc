/**
 * An ACME authority for tests: Pebble, of the makers of Let's Encrypt (Debian: pebble), with a certificate of its own. Every
 * name leads to 127.0.0.1 for it, and it finds the TXT records that it is given.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { findFreePorts } from './free-ports.ts';
import { waitFor } from './mail.ts';

export interface Pebble {
  directoryUrl: string;
  /** What it shows its own certificate by */
  caFile: string;
  /** Where it looks for http-01 */
  httpPort: number;
  /** Of the server that its DNS is managed by */
  dnsManagement: string;
  stop(): void;
}

export const hasPebble = spawnSync('pebble', ['-h']).error === undefined;

export async function startPebble(): Promise<Pebble> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-pebble-'));
  const [api = 0, management = 0, httpPort = 0, tlsPort = 0, dns = 0, dnsManagement = 0] =
    await findFreePorts(6);
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  const caFile = file('ca.pem', cert);
  const config = file(
    'pebble.json',
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${api}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: caFile,
        privateKey: file('key.pem', key),
        httpPort,
        tlsPort,
        ocspResponderURL: '',
        externalAccountBindingRequired: false,
      },
    }),
  );
  // It rejects a nonce now and then, and waits before it looks, to see what clients do: not here.
  const env = { PATH: process.env.PATH, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' };
  const children: ChildProcess[] = [
    spawn(
      'pebble-challtestsrv',
      [
        '-dns01',
        `127.0.0.1:${dns}`,
        '-management',
        `127.0.0.1:${dnsManagement}`,
        '-defaultIPv4',
        '127.0.0.1',
        ...OFF,
      ],
      { env, stdio: 'ignore' },
    ),
    spawn('pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dns}`], { env, stdio: 'ignore' }),
  ];
  const directoryUrl = `https://127.0.0.1:${api}/dir`;
  await waitFor('pebble', () => answers(directoryUrl, cert));
  await waitFor('its DNS', () =>
    fetch(`http://127.0.0.1:${dnsManagement}`).then(
      () => true,
      () => undefined,
    ),
  );
  return {
    directoryUrl,
    caFile,
    httpPort,
    dnsManagement: `http://127.0.0.1:${dnsManagement}`,
    stop() {
      for (const child of children) child.kill('SIGKILL');
      rmSync(directory, { recursive: true });
    },
  };
}

/** What the test does itself, or does without */
const OFF = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''];

function answers(url: string, ca: string): Promise<true | undefined> {
  return new Promise((resolve) => {
    get(url, { ca }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? true : undefined);
    }).once('error', () => resolve(undefined));
  });
}

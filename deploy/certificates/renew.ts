/**
 * Asks an ACME authority (RFC 8555) for a certificate when the one there is ends soon, is for other names, or will not do.
 * What comes is checked (names, chain, key, dates) before it replaces what there was; gateway and inbound take it without a
 * restart. Fails without touching anything: the old certificate stays in use.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { rootCertificates } from 'node:tls';
import acme from 'acme-client';
import Type from 'typebox';
import Value from 'typebox/value';
import type { Settings } from '../../config/schema.ts';
import { findCertificateProblems } from '../../lib/certificate-check.ts';
import { openResponder, type Proof } from './challenges.ts';
import {
  type CertificateState,
  locateCertificate,
  readState,
  replaceFile,
  saveCertificate,
} from './files.ts';

type RenewalSettings = Pick<Settings, 'directory' | 'certificates'>;

export interface Renewal extends CertificateState {
  isRenewed: boolean;
  /** What was done, line by line, for the operator's mail. No key, no token. */
  log: string[];
}

/** @param isForced also where it is not due @throws with what the authority or the hook says */
export async function renewCertificate(
  settings: RenewalSettings,
  { isForced = false } = {},
): Promise<Renewal> {
  const { certificates, directory } = settings;
  const before = readState(settings, new Date());
  if (certificates.names.length === 0)
    throw new Error('certificates.names is empty: there is nothing to ask for');
  if (!before.isDue && !isForced) return { ...before, isRenewed: false, log: [] };
  const log = [
    `why: ${before.problems.join('; ') || (before.isDue ? `it ends at ${before.expiresAt}` : 'forced')}`,
  ];
  const certificate = await order(settings, log);
  const problems = findCertificateProblems(certificate, certificates.names, new Date());
  if (problems.length > 0) throw new Error(`what the authority sent will not do: ${problems.join('; ')}`);
  saveCertificate(locateCertificate(directory), certificate);
  const after = readState(settings, new Date());
  log.push(`saved ${after.files.chain}, good until ${after.expiresAt}`);
  return { ...after, isRenewed: true, log };
}

async function order({ certificates, directory }: RenewalSettings, log: string[]) {
  const { names, directoryUrl, challenge } = certificates;
  trust(certificates.caFile);
  const client = await openAccount(certificates, locateCertificate(directory).account, log);
  const [key, csr] = await acme.crypto.createCsr({ commonName: names[0] ?? '', altNames: [...names] });
  const responder = await openResponder(certificates);
  const proofOf = (name: string, token: string, keyAuthorization: string): Proof => ({
    name,
    token,
    keyAuthorization,
  });
  try {
    const cert = await client.auto({
      csr,
      challengePriority: [challenge],
      // Its own look goes by the names' public addresses, which this machine may not reach.
      skipChallengeVerification: true,
      challengeCreateFn: async (authorization, { type, token }, keyAuthorization) => {
        if (type !== challenge) throw new Error(`the authority offers ${type}, not ${challenge}`);
        await responder.show(proofOf(authorization.identifier.value, token, keyAuthorization));
        log.push(`${challenge} is answered for ${authorization.identifier.value}`);
      },
      challengeRemoveFn: (authorization, { token }, keyAuthorization) =>
        responder.remove(proofOf(authorization.identifier.value, token, keyAuthorization)),
    });
    log.push(`issued by ${new URL(directoryUrl).host} for ${names.join(', ')}`);
    return { cert, key: key.toString() };
  } finally {
    await responder.close();
  }
}

const accountSchema = Type.Object({ directoryUrl: Type.String(), url: Type.String(), key: Type.String() });

/** The same account each time: authorities count by it. It is kept as soon as it is made. */
async function openAccount(
  { directoryUrl, email }: Settings['certificates'],
  file: string,
  log: string[],
): Promise<acme.Client> {
  const kept = existsSync(file)
    ? Value.Parse(accountSchema, JSON.parse(readFileSync(file, 'utf8')))
    : undefined;
  if (kept?.directoryUrl === directoryUrl)
    return new acme.Client({ directoryUrl, accountKey: kept.key, accountUrl: kept.url });
  const key = (await acme.crypto.createPrivateEcdsaKey()).toString();
  const client = new acme.Client({ directoryUrl, accountKey: key });
  await client.createAccount({ termsOfServiceAgreed: true, ...(email && { contact: [`mailto:${email}`] }) });
  replaceFile(file, JSON.stringify({ directoryUrl, url: client.getAccountUrl(), key }));
  log.push(`made an account at ${new URL(directoryUrl).host}`);
  return client;
}

function trust(caFile: string): void {
  if (caFile === '') return;
  acme.axios.defaults.httpsAgent = new Agent({ ca: [...rootCertificates, readFileSync(caFile, 'utf8')] });
}

/** An organization of a test's own in the running stack, with a verified domain and its tokens, made as an operator does it. */
import { operate } from './domains.ts';
import { requestRaw } from './raw-request.ts';
import type { Stack } from './stack.ts';

export interface TestOrganization {
  organizationId: number;
  organizationToken: string;
  domain: string;
  domainId: number;
  token: string;
}

let operatorToken: string | undefined;

export async function createOrganization(stack: Stack): Promise<TestOrganization> {
  const domain = `o${Math.random().toString(36).slice(2)}.test`;
  const { id } = await manageOrganizations(stack, 'POST', '', { organization: { name: domain } });
  const { token: organizationToken } = await manageOrganizations(stack, 'POST', `/${id}/api_tokens`, {});
  const manage = (path: string, body?: object) =>
    call(stack, 'POST', `/domains${path}`, { 'MailPace-Organization-Token': organizationToken }, body);
  const { id: domainId } = await manage('', { domain: { url: domain } });
  await manage(`/${domainId}/verify`); // the sandbox has published its records
  const { token } = await manage(`/${domainId}/api_tokens`, {});
  return { organizationId: id, organizationToken, domain, domainId, token };
}

/** @param path behind /organizations */
export async function manageOrganizations(stack: Stack, method: string, path: string, body?: object) {
  operatorToken ??= (await operate<{ operatorToken: string }>('create-operator-token', '--name', 'test'))
    .operatorToken;
  return call(stack, method, `/organizations${path}`, { 'Postern-Operator-Token': operatorToken }, body);
}

async function call(
  stack: Stack,
  method: string,
  path: string,
  token: Record<string, string>,
  body?: object,
) {
  const headers = { 'Content-Type': 'application/json', ...token };
  const answer = await requestRaw({ method, url: `${stack.api}/api/v1${path}`, headers, body });
  if (answer.status < 300) return answer.body;
  throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

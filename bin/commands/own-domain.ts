import type { Domain, PublicApi } from '../public-api.ts';
import { CommandFailure, unwrap } from './context.ts';

/** The organization's domain of this name, in whatever case. @throws CommandFailure when it has none */
export async function findOwnDomain(api: PublicApi, name: string): Promise<Domain> {
  const domains = unwrap(await api.listDomains());
  const domain = domains.find(({ url }) => url === name.toLowerCase());
  if (domain) return domain;
  const known = domains.map(({ url }) => url).join(', ') || 'none';
  throw new CommandFailure(
    `the organization has no domain ${name}`,
    `It has: ${known}. bin/postern domain add ${name} adds it.`,
  );
}

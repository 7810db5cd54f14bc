/**
 * Rules of nftables in a table of their own: they close the ports by which Postern's processes speak with each other to
 * all but this machine and the trusted networks, and say nothing about any other port. Whoever has rules keeps them.
 */
import type { Settings } from '../../config/schema.ts';
import type { SystemFile } from './system-files.ts';

export const FIREWALL_FILE = '/etc/nftables.d/postern.nft';

/** @param trustedNetworks addresses and networks of the other hosts, and of the reverse proxy */
export function firewall(
  { api, worker, gateway, mta, inbound }: Settings,
  trustedNetworks: readonly string[],
): SystemFile {
  const closed = [
    ...[api.port, worker.port, gateway.monitorPort, inbound.monitorPort],
    ...[mta.intakePort, mta.apiPort, mta.queueServerPort, mta.controlPort],
  ];
  const trust = (family: string, isOfFamily: (network: string) => boolean) => {
    const networks = trustedNetworks.filter(isOfFamily);
    return networks.length > 0 ? [`    ${family} saddr { ${networks.join(', ')} } accept`] : [];
  };
  return {
    path: FIREWALL_FILE,
    content: [
      '# Written by postern deploy setup --firewall.',
      'table inet postern {}',
      'delete table inet postern',
      'table inet postern {',
      '  chain input {',
      '    type filter hook input priority filter; policy accept;',
      `    tcp dport != { ${closed.join(', ')} } accept`,
      '    iif lo accept',
      ...trust('ip', (network) => !network.includes(':')),
      ...trust('ip6', (network) => network.includes(':')),
      '    drop',
      '  }',
      '}',
      '',
    ].join('\n'),
  };
}

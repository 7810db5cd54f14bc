/** `postern deploy setup`: makes the hosts of an inventory ready for a first release, or prints what it would do. */
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { type Layout, layOut } from '../commands/layout.ts';
import { script } from '../commands/shell.ts';
import type { DeployOptions } from '../deployment.ts';
import { inParallel } from '../in-parallel.ts';
import { openConnections } from '../remote/ssh.ts';
import { formatLine } from '../report.ts';
import { readHostFiles, readInstallationFiles } from './environment.ts';
import { firewall } from './firewall.ts';
import { readSetupSettings } from './settings.ts';
import { listSetupSteps, type SetupStep, writeSystemFile } from './steps.ts';
import type { SystemFile } from './system-files.ts';

export interface SetupOptions extends DeployOptions {
  /** Whether the firewall's rules are loaded, and not only shown */
  appliesFirewall: boolean;
}

/** Each step on each host, a line each. Throws DeployFailure. */
export async function setUp(options: SetupOptions): Promise<void> {
  const { inventory, write } = options;
  const plans = planSetup(options, { isTrial: false });
  const connections = openConnections(inventory);
  try {
    await inParallel(plans, inventory.hostsAtOnce, async ({ host, steps }) => {
      for (const step of steps) {
        options.signal.throwIfAborted();
        const startedAt = performance.now();
        const input = step.secret === undefined ? undefined : Readable.from([step.secret]);
        const said = (await connections.open(host).run(step.script, input)).trim();
        write(formatLine('✓', step.name, host, said.split('\n').join(' '), performance.now() - startedAt));
      }
    });
    if (!inventory.system)
      write('  the system itself (packages, users, kernel, boot) is left alone: system = false');
  } finally {
    await connections.close();
  }
}

/** What setUp would run, without what is secret. Changes nothing, here or there. */
export function printSetup(options: SetupOptions): string {
  return planSetup(options, { isTrial: true })
    .flatMap(({ host, steps }) =>
      steps.map(({ name, script: text, secret }) =>
        [`# ${host}: ${name}${secret === undefined ? '' : ' (its stdin is not shown)'}`, text, ''].join('\n'),
      ),
    )
    .join('\n');
}

function planSetup(
  options: SetupOptions,
  trial: { isTrial: boolean },
): { host: string; steps: SetupStep[] }[] {
  const { inventory, inventoryFile } = options;
  const layout = layOut(inventory.root);
  const directory = dirname(inventoryFile);
  const files = readInstallationFiles(directory, trial);
  const rules = firewall(readSetupSettings(files), inventory.trustedNetworks);
  return inventory.hosts.map((host) => ({
    host: host.name,
    steps: [
      ...listSetupSteps(inventory, host, layout, readHostFiles(directory, host.name, files)),
      options.appliesFirewall ? applyFirewall(rules) : showFirewall(layout, rules),
    ],
  }));
}

/** They stay in shared/, for whoever looks after the firewall. */
function showFirewall({ shared }: Layout, { content }: SystemFile): SetupStep {
  const file = { path: `${shared}/firewall.nft`, content };
  return {
    name: 'firewall',
    script: script({}, `${writeSystemFile(file)}\necho 'rules to look at: ${file.path}'`),
  };
}

function applyFirewall(rules: SystemFile): SetupStep {
  const body = `${writeSystemFile(rules)}
nft -f ${rules.path}
if [ -f /etc/nftables.conf ] && ! grep -qF '${rules.path}' /etc/nftables.conf; then
  printf 'include "%s"\\n' '${rules.path}' >>/etc/nftables.conf
fi
if systemctl -q is-enabled nftables 2>/dev/null; then echo loaded; else echo 'loaded; at boot only by: systemctl enable nftables'; fi`;
  return { name: 'firewall', script: script({}, body) };
}

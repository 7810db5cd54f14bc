/**
 * What makes a fresh Debian or Ubuntu machine a host: steps that may be repeated, each a script. Those of the system need
 * root, and are left out where the inventory says that somebody else looks after it (system = false).
 */
import type { Layout } from '../commands/layout.ts';
import { quote, script } from '../commands/shell.ts';
import type { Inventory, InventoryHost } from '../inventory.ts';
import { SERVICE_GROUP, serviceUser } from '../process-table.ts';
import { environmentOf, type InstallationFiles } from './environment.ts';
import { bootUnit, kernelSettings, limits, logRotation, type SystemFile } from './system-files.ts';
import { listUnits } from './units.ts';

export interface SetupStep {
  name: string;
  script: string;
  /** For its stdin: what no command line may show */
  secret?: string;
}

/** Older ones cannot install our packages. */
const MIN_NODE_MAJOR = 20;
const PACKAGES = ['ca-certificates', 'tar', 'gzip', 'util-linux', 'nodejs', 'npm', 'logrotate'];

export function listSetupSteps(
  inventory: Inventory,
  host: InventoryHost,
  layout: Layout,
  files: InstallationFiles,
): SetupStep[] {
  const { system, supervisor } = inventory;
  const onSystem = system
    ? [installPackages(), installNode(layout), addUsers(host), setKernel(), setLimits()]
    : [];
  const atBoot = supervisor === 'pm2' ? [bootUnit(layout, host.roles)] : listUnits(layout, host.roles);
  const afterwards = system ? [rotateLogs(layout, supervisor), startAtBoot(atBoot)] : [];
  return [
    ...onSystem,
    makeDirectories(layout),
    writeEnvironment(layout, environmentOf(host, files)),
    ...(files.settings === undefined ? [] : [writeSettings(layout, files.settings)]),
    ...afterwards,
  ];
}

function installPackages(): SetupStep {
  const body = `
missing=
for package in ${PACKAGES.join(' ')}; do
  if ! dpkg-query -W -f '\${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then missing="$missing $package"; fi
done
if [ -z "$missing" ]; then exit; fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
# shellcheck disable=SC2086 # words
apt-get install -q -y --no-install-recommends $missing >/dev/null
echo "installed$missing"`;
  return { name: 'packages', script: script({}, body) };
}

/** Where Debian's is too old, npm brings one. */
function installNode({ root }: Layout): SetupStep {
  const body = `
if [ "$(node -p 'process.versions.node.split(".")[0]')" -ge ${MIN_NODE_MAJOR} ]; then exit; fi
mkdir -p "$root/node"
npm install --prefix "$root/node" --no-audit --no-fund --loglevel=error node@24 npm@11 >/dev/null
for program in node npm npx; do ln -sf "$root/node/node_modules/.bin/$program" "/usr/local/bin/$program"; done
echo "node $(/usr/local/bin/node --version)"`;
  return { name: 'node', script: script({ root }, body) };
}

function addUsers({ roles }: InventoryHost): SetupStep {
  const users = roles.map(serviceUser);
  const body = `
if ! getent group "$group" >/dev/null; then groupadd --system "$group"; fi
for user in ${users.join(' ')}; do
  if getent passwd "$user" >/dev/null; then continue; fi
  useradd --system --gid "$group" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  echo "$user"
done`;
  return { name: 'users', script: script({ group: SERVICE_GROUP }, body) };
}

function setKernel(): SetupStep {
  return {
    name: 'kernel',
    script: script({}, `${writeSystemFile(kernelSettings)}\nsysctl -q -p ${kernelSettings.path}`),
  };
}

function setLimits(): SetupStep {
  return { name: 'limits', script: script({}, writeSystemFile(limits)) };
}

function rotateLogs(layout: Layout, supervisor: Inventory['supervisor']): SetupStep {
  return { name: 'logrotate', script: script({}, writeSystemFile(logRotation(layout, supervisor))) };
}

function startAtBoot(units: readonly SystemFile[]): SetupStep {
  const names = units.map(({ path }) => quote(path.slice(path.lastIndexOf('/') + 1)));
  const body = `${units.map(writeSystemFile).join('\n')}
if [ ! -d /run/systemd/system ]; then
  echo 'systemd does not run here: nothing starts at boot'
  exit
fi
systemctl daemon-reload
systemctl -q enable ${names.join(' ')}`;
  return { name: 'boot', script: script({}, body) };
}

/** Processes make folders of their own in shared/; the sticky bit keeps each from those of the others. */
function makeDirectories({ root, releases, shared }: Layout): SetupStep {
  const body = `
mkdir -p "$releases" "$shared/log" "$shared/pm2"
chmod 755 "$root" "$releases"
chmod 700 "$shared/pm2"
if getent group "$group" >/dev/null && [ "$(id -u)" = 0 ]; then
  chgrp "$group" "$shared"
  chmod 1770 "$shared"
  make() { if [ ! -e "$2" ] && [ ! -L "$2" ]; then install -d -g "$group" -m "$1" -o "$3" "$2"; fi; }
  owner=root
  if getent passwd "$worker" >/dev/null; then owner=$worker; fi
  # Whoever writes first, the worker or root by bin/postern: the worker writes next, gateway and inbound read the key.
  make 700 "$shared/backups" "$owner"
  make 3770 "$shared/tls" root
  make 2750 "$shared/tls/acme" "$owner"
else
  chmod 700 "$shared"
fi`;
  const variables = { root, releases, shared, group: SERVICE_GROUP, worker: serviceUser('worker') };
  return { name: 'directories', script: script(variables, body) };
}

/** Never another master key than that of the host: what is sealed with it could not be opened again. */
function writeEnvironment({ shared }: Layout, environment: string): SetupStep {
  const body = `
umask 077
partial=$shared/.postern.env
cat >"$partial"
keys_of() { sed -n "s/^POSTERN_SECRET_KEY=//p" "$1" | tr -d "\\"'" | tr , ' '; }
if [ -f "$shared/postern.env" ]; then
  known=
  for key in $(keys_of "$shared/postern.env"); do
    for new in $(keys_of "$partial"); do if [ "$key" = "$new" ]; then known=yes; fi; done
  done
  if [ -z "$known" ]; then
    rm "$partial"
    echo "$shared/postern.env has another POSTERN_SECRET_KEY than the one beside the inventory: copy it there first" >&2
    exit 1
  fi
fi
if getent group "$group" >/dev/null && [ "$(id -u)" = 0 ]; then
  chgrp "$group" "$partial"
  chmod 640 "$partial"
fi
mv -T "$partial" "$shared/postern.env"`;
  return { name: 'secrets', script: script({ shared, group: SERVICE_GROUP }, body), secret: environment };
}

function writeSettings({ shared }: Layout, settings: string): SetupStep {
  const body = `
cat >"$shared/.postern.toml"
mv -T "$shared/.postern.toml" "$shared/postern.toml"`;
  return { name: 'settings', script: script({ shared }, body), secret: settings };
}

export function writeSystemFile({ path, content }: SystemFile): string {
  return `mkdir -p ${quote(path.slice(0, path.lastIndexOf('/')))}
printf '%s' ${quote(content)} >${quote(path)}`;
}

/** The processes as units of systemd, from the same table as pm2's list: for hosts whose inventory says supervisor = "systemd". */
import type { Layout } from '../commands/layout.ts';
import type { Role } from '../inventory.ts';
import { processTable, SERVICE_GROUP, STOP_SECONDS, serviceUser } from '../process-table.ts';
import type { SystemFile } from './system-files.ts';

export const unitName = (role: Role) => `postern-${role}.service`;

/** Each as the user that setup makes for it. */
export function listUnits({ current, shared }: Layout, roles: readonly Role[]): SystemFile[] {
  return processTable
    .filter(({ name }) => roles.includes(name))
    .map(({ name, script, maxMegabytes, hasPrivilegedPorts }) => ({
      path: `/etc/systemd/system/${unitName(name)}`,
      content: `# Written by postern deploy setup.
[Unit]
Description=Postern: ${name}
Wants=network-online.target
After=network-online.target postgresql.service redis-server.service
# Never give up: a database may be away for long.
StartLimitIntervalSec=0

[Service]
# The link is followed at each start: a new release runs after a restart.
WorkingDirectory=${current}
ExecStart=${current}/node_modules/node/bin/node ${current}/${script}
Environment=POSTERN_DIRECTORY=${shared} NODE_ENV=production
User=${serviceUser(name)}
Group=${SERVICE_GROUP}
# SIGTERM to the process alone: it ends its own children. SIGKILL to all that is left after its own deadline.
KillMode=mixed
TimeoutStopSec=${STOP_SECONDS}
Restart=always
RestartSec=1
# From systemd 254 on; before, a second each time.
RestartSteps=8
RestartMaxDelaySec=15
# EX_CONFIG: the settings have to change first.
RestartPreventExitStatus=78
# With its children. Above it the kernel reclaims and the process becomes slow; twice that ends it.
MemoryHigh=${2 * maxMegabytes}M
MemoryMax=${4 * maxMegabytes}M
LimitNOFILE=65536
StandardOutput=append:${shared}/log/${name}.log
StandardError=inherit
UMask=0027
NoNewPrivileges=yes
${hasPrivilegedPorts ? 'AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n' : 'CapabilityBoundingSet=\n'}ProtectSystem=strict
ReadWritePaths=${shared}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes

[Install]
WantedBy=multi-user.target
`,
    }));
}

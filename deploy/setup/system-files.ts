/** The files of the system that setup writes, as text. */
import type { Layout } from '../commands/layout.ts';
import type { Inventory, Role } from '../inventory.ts';
import { STOP_SECONDS } from '../process-table.ts';

export interface SystemFile {
  path: string;
  content: string;
}

export const kernelSettings: SystemFile = {
  path: '/etc/sysctl.d/60-postern.conf',
  content: `# Written by postern deploy setup.
# The gateway (587, 465) and inbound (25) run as users of their own, without root's rights.
net.ipv4.ip_unprivileged_port_start = 25
# Connections that wait to be accepted: while a process restarts in a burst
net.core.somaxconn = 4096
# Outgoing connections, each a port: above those that Postern listens on
net.ipv4.ip_local_port_range = 20000 65535
`,
};

export const limits: SystemFile = {
  path: '/etc/security/limits.d/60-postern.conf',
  content: `# Written by postern deploy setup. Sockets: of thousands of sessions and deliveries.
# The wildcard is not for root (limits.conf(5)), as whom pm2 runs.
* soft nofile 65536
root soft nofile 65536
`,
};

/** pm2 opens the files anew at SIGUSR2. systemd cannot: there the file is copied, and a line of that moment may be lost. */
export function logRotation({ shared }: Layout, supervisor: Inventory['supervisor']): SystemFile {
  const how =
    supervisor === 'systemd'
      ? '    copytruncate'
      : `    sharedscripts
    postrotate
        kill -USR2 "$(cat ${shared}/pm2/pm2.pid)" 2>/dev/null || true
    endscript`;
  return {
    path: '/etc/logrotate.d/postern',
    content: `# Written by postern deploy setup.
${shared}/log/*.log {
    daily
    maxsize 500M
    rotate 14
    missingok
    notifempty
    compress
    delaycompress
    su root root
${how}
}
`,
  };
}

/** pm2 and its processes at boot, from the current release. */
export function bootUnit({ current, shared }: Layout, roles: readonly Role[]): SystemFile {
  const program = `${current}/node_modules/node/bin/node ${current}/deploy/host/boot.ts --directory ${shared} --roles ${roles.join(',')}`;
  return {
    path: '/etc/systemd/system/postern.service',
    content: `# Written by postern deploy setup.
[Unit]
Description=Postern (pm2)
Wants=network-online.target
After=network-online.target postgresql.service redis-server.service

[Service]
Type=forking
PIDFile=${shared}/pm2/pm2.pid
ExecStart=${program}
ExecStop=${program} --stop
# The mta ends before its database does, and within twice the time of one process.
TimeoutStopSec=${2 * STOP_SECONDS + 10}
LimitNOFILE=65536
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
`,
  };
}

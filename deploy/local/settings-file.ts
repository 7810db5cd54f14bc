/** postern.toml of a development installation: what differs there from the defaults, which are those of production. */
import { existsSync, writeFileSync } from 'node:fs';

const SETTINGS = `# Settings of this installation; docs/settings.md lists them all.

[webhooks]
# Endpoints on this machine, without TLS. Never in production.
allowHttp = true
allowLoopback = true

[tlsReports]
# Domains of the sandbox ask for reports (docs/sandbox.md).
from = "tls-reports@demo.postern.test"
`;

const RSPAMD = `
[spam]
# It is installed here; bin/up starts one of its own.
engine = "rspamd"
`;

/** On the first run; later it is its owner's. */
export function createSettingsFile(file: string, { hasRspamd }: { hasRspamd: boolean }): void {
  if (!existsSync(file)) writeFileSync(file, hasRspamd ? SETTINGS + RSPAMD : SETTINGS);
}

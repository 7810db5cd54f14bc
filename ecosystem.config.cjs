/**
 * The one list of Postern's processes, for development and production alike. bin/up starts it; by hand:
 *
 *   PM2_HOME=var/pm2 POSTERN_DIRECTORY=$PWD/var node_modules/.bin/pm2 start ecosystem.config.cjs --only worker
 *
 * The processes get no secrets from here: each reads the settings itself (config/load.ts). Settings that do not
 * load end this file with exit code 78, and a process that exits 78 is not started again: waiting heals nothing.
 * The mta must never run twice: it is restarted, never reloaded or scaled (fork mode, one instance).
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { loadSettings } = require('./config/load.ts');
const { findOwnPostgres, findOwnRedisPort, findOwnRspamd } = require('./deploy/local/servers.ts');

const { processTable, SERVICE_GROUP, STOP_SECONDS, serviceUser } = require('./deploy/process-table.ts');

const settings = loadSettings();
const isProduction = settings.environment === 'production';
const redisPort = findOwnRedisPort(settings, process.env);
const ownRspamd = findOwnRspamd(settings, process.env);

const common = {
  cwd: __dirname,
  exec_mode: 'fork',
  instances: 1,
  watch: false,
  vizion: false,
  pmx: false,
  // One file a process; without it pm2 adds a number to the name. The lines are JSON with a time of their own (pino):
  // log_type 'json' would wrap each in another object.
  merge_logs: true,
  // SIGINT, then SIGKILL after this long; the processes give themselves less.
  kill_timeout: STOP_SECONDS * 1_000,
  // Only the process itself gets the signal; it ends its own children.
  treekill: false,
  // Who lives shorter has crashed at its start, and counts against max_restarts.
  min_uptime: 1_000,
  // Never give up: 100 ms, growing by half up to 15 s, forgotten after 30 s of quiet.
  exp_backoff_restart_delay: 100,
  max_restarts: 1_000_000,
  // EX_CONFIG: the settings have to change first.
  stop_exit_codes: [78],
  env: {
    POSTERN_DIRECTORY: settings.directory,
    POSTERN_ENV: settings.environment,
    NODE_ENV: isProduction ? 'production' : 'development',
  },
};

const logTo = (name) => {
  const file = join(settings.directory, 'log', `${name}.log`);
  return { out_file: file, error_file: file };
};

const node = (name, script) => ({
  ...common,
  ...logTo(name),
  name,
  script: join(__dirname, script),
  interpreter: join(__dirname, 'node_modules/node/bin/node'),
});

const accounts = isProduction && process.getuid() === 0 ? readFileSync('/etc/passwd', 'utf8') : '';

/** What production adds: a limit of memory, looked at every 30 s, and a user, where deploy/setup has made one. */
const limit = ({ name, maxMegabytes }) => {
  if (!isProduction) return {};
  const hasUser = accounts.split('\n').some((line) => line.startsWith(`${serviceUser(name)}:`));
  return {
    // SIGINT as at any other end: what it has in hand is finished.
    max_memory_restart: `${maxMegabytes}M`,
    // pm2 itself stays root's: it opens the log files, which the processes then cannot change afterwards.
    ...(hasUser ? { uid: serviceUser(name), gid: SERVICE_GROUP } : {}),
  };
};

const redis = (port) => ({
  ...common,
  ...logTo('redis'),
  name: 'redis',
  script: 'redis-server',
  interpreter: 'none',
  args: [
    ...['--port', port, '--bind', '127.0.0.1', '--dir', join(settings.directory, 'redis')],
    // What addresses are blocked where is to outlive a restart (lib/pools/block-store.ts).
    ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
    // Its title would overwrite the variables by which deploy/local/processes.ts finds it without pm2.
    ...['--set-proc-title', 'no'],
  ],
});

/** Debian's configuration, with ours on top (config/rspamd); in its files $NAME stands for a --var. */
const rspamd = ({ port, controllerPort }) => {
  const { sandbox, redis: cache, directory } = settings;
  const { host, pathname } = new URL(cache.url);
  const data = join(directory, 'rspamd');
  const variables = {
    ...{ LOCAL_CONFDIR: join(__dirname, 'config/rspamd'), DBDIR: data, RUNDIR: data, LOGDIR: data },
    POSTERN_NAMESERVER: `${sandbox.host}:${sandbox.dnsPort}`,
    POSTERN_NORMAL_ADDRESS: `127.0.0.1:${port}`,
    POSTERN_CONTROLLER_ADDRESS: `127.0.0.1:${controllerPort}`,
    POSTERN_REDIS_SERVER: host,
    POSTERN_REDIS_DATABASE: pathname.slice(1) || '0',
  };
  return {
    ...common,
    ...logTo('rspamd'),
    name: 'rspamd',
    script: 'rspamd',
    interpreter: 'none',
    args: [
      // As whoever runs the others: where that is root, it asks to be told that this is meant.
      ...['--no-fork', '--insecure'],
      ...Object.entries(variables).map(([name, value]) => `--var=${name}=${value}`),
    ],
  };
};

module.exports = {
  apps: [
    ...(findOwnPostgres(settings, process.env) ? [node('postgres', 'deploy/local/postgres.ts')] : []),
    ...(redisPort === undefined ? [] : [redis(redisPort)]),
    ...(ownRspamd ? [rspamd(ownRspamd)] : []),
    ...(isProduction ? [] : [node('sandbox', 'sandbox/server.ts')]),
    ...processTable.map((facts) => ({ ...node(facts.name, facts.script), ...limit(facts) })),
  ],
};

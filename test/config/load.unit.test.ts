/** DP-4: with a bad configuration a process refuses to start, exits 78, and names every problem. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readSettings } from '../../config/load.ts';

const secrets = {
  POSTERN_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
  POSTERN_SERVICE_TOKEN: 's'.repeat(24),
  POSTERN_INTAKE_PASSWORD: 'p'.repeat(24),
};

interface BadConfiguration {
  title: string;
  toml?: string;
  environment?: NodeJS.ProcessEnv;
  /** One for each problem, in any order */
  expected: RegExp[];
}

const badConfigurations: BadConfiguration[] = [
  {
    title: 'an empty directory: no secrets at all',
    environment: Object.fromEntries(Object.keys(secrets).map((name) => [name, ''])),
    expected: [/^secrets\.key: must be 32 bytes/, /^secrets\.serviceToken: /, /^secrets\.intakePassword: /],
  },
  {
    title: 'a settings file that is not there',
    environment: { POSTERN_CONFIG: '/nonexistent/postern.toml' },
    expected: [/^POSTERN_CONFIG: the file \/nonexistent\/postern\.toml does not exist$/],
  },
  { title: 'a settings file that is not TOML', toml: 'api = [', expected: [/postern\.toml: /] },
  { title: 'an unknown section', toml: '[gatway]\nport = 25', expected: [/^gatway: unknown setting$/] },
  {
    title: 'an unknown setting in a section',
    toml: '[gateway]\ncertficateFile = "x"',
    expected: [/^gateway\.certficateFile: unknown setting$/],
  },
  { title: 'a value in place of a section', toml: 'api = 3000', expected: [/^api: must be object$/] },
  { title: 'a port that is text', toml: '[api]\nport = "3000"', expected: [/^api\.port: must be integer$/] },
  { title: 'a port out of range', toml: '[api]\nport = 65536', expected: [/^api\.port: must be <= 65535$/] },
  {
    title: 'two listeners on one port',
    toml: '[worker]\nport = 3000',
    expected: [/^worker\.port: port 3000 is already taken by api\.port$/],
  },
  {
    title: 'a master key of the wrong length',
    environment: { POSTERN_SECRET_KEY: Buffer.alloc(16).toString('base64') },
    expected: [/^secrets\.key: must be 32 bytes/],
  },
  {
    title: 'a weak service token',
    environment: { POSTERN_SERVICE_TOKEN: 'secret' },
    expected: [/^secrets\.serviceToken: must have at least 24 characters$/],
  },
  {
    title: 'production without a certificate',
    environment: { POSTERN_ENV: 'production' },
    expected: [/^gateway\.certificateFile, gateway\.privateKeyFile: required in production$/],
  },
  {
    title: 'an unknown environment',
    environment: { POSTERN_ENV: 'staging' },
    expected: [/^environment: must be one of development, test, production$/],
  },
  {
    title: 'a database of another kind',
    environment: { DATABASE_URL: 'mysql://127.0.0.1/postern' },
    expected: [/^database\.url: must match pattern/],
  },
  { title: 'no name for the host', toml: 'hostname = ""', expected: [/^hostname: must not have fewer than/] },
  {
    title: 'a retry schedule without a delay',
    toml: '[queue]\nretryDelaysSeconds = []',
    expected: [/^queue\.retryDelaysSeconds: must not have fewer than 1 items$/],
  },
  {
    title: 'many problems at once',
    toml: 'surprise = 1\nhostname = ""\n[api]\nport = 0\n[queue]\nleaseSeconds = 1',
    expected: [
      /^surprise: /,
      /^hostname: /,
      /^api\.port: must be >= 1$/,
      /^queue\.leaseSeconds: must be >= 5$/,
    ],
  },
];

describe('config/load', () => {
  let directory = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-config-'));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  for (const { title, toml, environment, expected } of badConfigurations) {
    it(`DP-4 refuses ${title}`, () => {
      if (toml) writeFileSync(join(directory, 'postern.toml'), toml);
      const result = readSettings({ ...secrets, ...environment, POSTERN_DIRECTORY: directory });
      assert.ok(!result.ok, 'the settings were taken');
      const { problems } = result;
      assert.equal(problems.length, expected.length, problems.join('\n'));
      for (const pattern of expected) {
        assert.ok(
          problems.some((problem) => pattern.test(problem)),
          `${pattern} in\n${problems.join('\n')}`,
        );
      }
    });
  }

  it('DP-4 refuses secrets that others can read, and exits 78 with every problem listed', () => {
    const file = join(directory, 'postern.env');
    writeFileSync(file, 'POSTERN_LOG_LEVEL=loud\n');
    chmodSync(file, 0o644);
    const { status, problems } = startProcess(secrets);
    assert.equal(status, 78);
    assert.deepEqual(problems, [
      `${file}: readable by others; run chmod 600 on it`,
      'log.level: must be one of trace, debug, info, warn, error, silent',
    ]);
  });

  it('starts with nothing but secrets', () => {
    assert.deepEqual(startProcess(secrets), { status: 0, problems: [] });
  });

  it('takes the environment over postern.env, that over postern.toml, and that over the default', () => {
    writeFileSync(
      join(directory, 'postern.toml'),
      'hostname = "toml.test"\ninstanceId = "toml"\n[log]\nlevel = "warn"\n',
    );
    writeFileSync(join(directory, 'postern.env'), 'POSTERN_HOSTNAME=file.test\nPOSTERN_INSTANCE_ID=file\n', {
      mode: 0o600,
    });
    const settings = read({ ...secrets, POSTERN_HOSTNAME: 'environment.test' });
    assert.equal(settings.hostname, 'environment.test');
    assert.equal(settings.instanceId, 'file');
    assert.equal(settings.log.level, 'warn');
    assert.equal(settings.api.port, 3000);
  });

  it('takes an empty variable for one that is not set', () => {
    assert.equal(read({ ...secrets, POSTERN_LOG_LEVEL: '' }).log.level, 'info');
  });

  it('gives settings that nobody can change', () => {
    const settings = read(secrets);
    assert.throws(() => Object.assign(settings.api, { port: 1 }), TypeError);
  });

  function read(environment: NodeJS.ProcessEnv) {
    const result = readSettings({ ...environment, POSTERN_DIRECTORY: directory });
    assert.ok(result.ok);
    return result.settings;
  }

  /** As every process of ours begins. */
  function startProcess(environment: NodeJS.ProcessEnv): { status: number | null; problems: string[] } {
    const program = `import { loadSettings } from '${resolve('config/load.ts')}'; loadSettings();`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      env: { ...environment, POSTERN_DIRECTORY: directory },
      encoding: 'utf8',
    });
    const [heading = '', ...lines] = stderr.trim().split('\n');
    const problems = lines.map((line) => line.replace(/^ {2}- /, ''));
    if (status === 78) assert.equal(heading, `postern: the configuration has ${problems.length} problem(s):`);
    return { status, problems };
  }
});

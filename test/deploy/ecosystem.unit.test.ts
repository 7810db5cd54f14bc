import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

describe('ecosystem.config.cjs', () => {
  it('gives the processes no secret: pm2 shows to everybody what it gives (AU-11)', () => {
    const secrets = {
      POSTERN_SECRET_KEY: randomBytes(32).toString('base64'),
      POSTERN_SERVICE_TOKEN: randomBytes(24).toString('hex'),
      POSTERN_INTAKE_PASSWORD: randomBytes(24).toString('hex'),
      DATABASE_URL: 'postgres://postern:hunter2@db.test/postern',
    };
    const env = {
      PATH: process.env.PATH,
      POSTERN_DIRECTORY: '/nonexistent',
      POSTERN_ENV: 'test',
      ...secrets,
    };
    const script = "console.log(JSON.stringify(require('./ecosystem.config.cjs')))";
    const listed = execFileSync(process.execPath, ['-e', script], { env, encoding: 'utf8' });

    assert.match(listed, /"name":"api"/);
    for (const secret of [...Object.values(secrets), 'hunter2']) {
      assert.equal(listed.includes(secret), false, secret);
    }
  });
});

import assert from 'node:assert/strict';
import {
  formatMain,
  formatMaster,
  formatOpendkim,
  listTables,
} from '../../../bench/servers/postfix-config.ts';

const facts = {
  directory: '/tmp/bench/postfix',
  intakePort: 20001,
  milterPort: 20002,
  sinkPort: 20003,
  concurrency: 20,
  destinations: 2,
  account: { uid: 100, gid: 100 },
};

describe("bench: Postfix' configuration", () => {
  it('stays within its directory, signs, and is not held back by its limits', () => {
    const main = formatMain(facts);
    for (const line of [
      'queue_directory = /tmp/bench/postfix/queue',
      'data_directory = /tmp/bench/postfix/data',
      'smtpd_milters = inet:127.0.0.1:20002',
      'milter_default_action = tempfail',
      'default_destination_concurrency_limit = 20',
    ]) {
      assert.ok(main.includes(`${line}\n`), line);
    }
  });

  it('listens on loopback and chroots nothing', () => {
    const services = formatMaster(facts).trim().split('\n');
    assert.ok(services[0]?.startsWith('127.0.0.1:20001 inet '));
    for (const service of services) assert.equal(service.split(' ')[4], 'n', service);
  });

  it('routes every destination to the sink and signs for the sender', () => {
    const tables = listTables(facts);
    assert.equal(
      tables.transport,
      'd001.example smtp:[127.0.0.1]:20003\nd002.example smtp:[127.0.0.1]:20003\n',
    );
    assert.equal(tables.SigningTable, '*@sender.example bench\n');
    assert.ok(formatOpendkim(facts).includes('Canonicalization relaxed/relaxed\n'));
  });
});

/** How each reply comes about that no dialog file can bring about alone: by settings, by the api, by time. */
import { type ReplyName, replies } from '../../gateway/replies.ts';
import { RpcRefusal } from '../../lib/rpc/server.ts';
import { DialogClient } from '../dialogs/client.ts';
import {
  ask,
  authenticate,
  logIn,
  openSession,
  sendMessage,
  showCredentials,
  startMessage,
} from './session.ts';
import { type TestGateway, type TestGatewayOptions, testCredential } from './test-gateway.ts';

export interface ReplyScenario {
  options?: TestGatewayOptions;
  /** @returns the reply; what it opened is ended with the gateway */
  play(started: TestGateway): Promise<string>;
}

const MAIL = 'MAIL FROM:<ann@shop.example>';

export const replyScenarios: Readonly<Partial<Record<ReplyName, ReplyScenario>>> = {
  tooManyConnections: limited({ maxConnections: 1 }),
  tooManyClientConnections: limited({ maxConnectionsPerClient: 1 }),
  tooManyNewConnections: limited({ maxConnectionsPerClientPerMinute: 1 }),
  shuttingDown: {
    async play({ target, gateway }) {
      const client = await openSession(target);
      void gateway.close();
      return client.readReply();
    },
  },
  timedOut: {
    options: { gateway: { commandTimeoutMs: 50 } },
    play: async ({ target }) => (await openSession(target)).readReply(),
  },
  tooSlow: {
    options: { gateway: { dataRateWindowMs: 50 } },
    async play({ target }) {
      const client = await logIn(target);
      await startMessage(client, target);
      return client.readReply();
    },
  },
  authenticationUnavailable: {
    async play({ target, api }) {
      const client = await openSession(target);
      await api.stop();
      return authenticate(client, target);
    },
  },
  clientThrottled: {
    options: { gateway: { maxAuthenticationFailuresPerAccount: 1 } },
    async play({ target }) {
      const client = await openSession(target);
      await showCredentials(client, 'wrong');
      return showCredentials(client, 'wrong');
    },
  },
  credentialRevoked: {
    async play({ target, api }) {
      const client = await logIn(target);
      await api.setCredential(null);
      return ask(client, MAIL);
    },
  },
  sendingRefused: {
    async play({ target, api }) {
      const client = await logIn(target);
      await api.setCredential({ ...testCredential, refusal: replies.sendingRefused.text });
      return ask(client, MAIL);
    },
  },
  tooManyRecipients: {
    options: { maxEnvelopeRecipients: 1 },
    async play({ target }) {
      const client = await logIn(target);
      for (const line of [MAIL, 'RCPT TO:<a@receiver.example>']) await ask(client, line);
      return ask(client, 'RCPT TO:<b@receiver.example>');
    },
  },
  memoryFull: {
    options: { gateway: { maxBufferedBytes: 1_000 } },
    play: async ({ target }) => ask(await logIn(target), `${MAIL} SIZE=1001`),
  },
  headerTooLarge: {
    async play({ target }) {
      const header = `From: ann@shop.example\r\n${`X-A: ${'x'.repeat(900)}\r\n`.repeat(300)}`;
      return sendMessage(await logIn(target), target, `${header}\r\nbody\r\n`);
    },
  },
  messageInvalid: refusedByApi('message_invalid', replies.messageInvalid.text),
  recipientsBlocked: refusedByApi('recipients_blocked'),
  tooFast: refusedByApi('rate_limited', replies.tooFast.text),
  keyRunning: refusedByApi('idempotency_key_running'),
  keyUsedOtherwise: refusedByApi('idempotency_key_used_otherwise'),
  notTakenOver: refusedByApi('something_new'),
  internalError: {
    options: { failingThrottle: true },
    play: async ({ target }) => authenticate(await openSession(target), target),
  },
};

/** The second session of a gateway that has room for one */
function limited(gateway: NonNullable<TestGatewayOptions['gateway']>): ReplyScenario {
  return {
    options: { gateway },
    async play({ target: { smtp } }) {
      const first = await DialogClient.open(smtp.host, smtp.starttls, { tls: false });
      await first.readReply();
      const second = await DialogClient.open(smtp.host, smtp.starttls, { tls: false });
      return second.readReply();
    },
  };
}

function refusedByApi(code: string, message = 'the reason'): ReplyScenario {
  return {
    async play({ target, api }) {
      api.onSubmission = async () => {
        throw new RpcRefusal(code, message);
      };
      return sendMessage(await logIn(target), target);
    },
  };
}

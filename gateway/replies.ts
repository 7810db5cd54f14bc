/** Every reply the gateway gives by its own decision. RFC 5321 4.2 (codes), RFC 3463 and RFC 5248 (enhanced codes). */
import { type Reply, createReply as reply } from '../lib/mail/reply.ts';

export const replies = {
  // The session
  tooManyConnections: reply(421, '4.3.2', 'Too many connections, try again later'),
  tooManyClientConnections: reply(421, '4.7.0', 'Too many connections from your address'),
  shuttingDown: reply(421, '4.3.2', 'Shutting down, try again'),
  timedOut: reply(421, '4.4.2', 'Timeout, closing connection'),
  tooManyErrors: reply(421, '4.7.0', 'Too many errors'),
  spokeTooSoon: reply(421, '4.7.0', 'You spoke before the greeting'),
  tooManyCommands: reply(421, '4.7.0', 'Too many commands without a message'),
  tooSlow: reply(421, '4.4.2', 'The message comes in too slowly'),
  tooManyNewConnections: reply(421, '4.7.0', 'Too many new connections from your address, slow down'),
  wrongProtocol: reply(421, '4.7.0', 'This is an SMTP server'),
  commandTooLong: reply(500, '5.5.2', 'Command line too long'),
  bareLineFeed: reply(500, '5.5.2', 'Command lines end with CRLF'),
  controlCharacter: reply(500, '5.5.2', 'Command lines have no control characters'),
  argumentUnexpected: reply(501, '5.5.4', 'The command takes no argument'),
  commandNotOffered: reply(502, '5.5.1', 'Command not implemented'),
  commandUnknown: reply(500, '5.5.1', 'Command not recognized'),

  // TLS and authentication, RFC 3207 4 and RFC 4954 6
  starttlsRequired: reply(530, '5.7.0', 'Must issue a STARTTLS command first'),
  encryptionRequired: reply(538, '5.7.11', 'Encryption required: issue a STARTTLS command first'),
  authenticationRequired: reply(530, '5.7.0', 'Authentication required'),
  authenticationFailed: reply(535, '5.7.8', 'Authentication credentials invalid'),
  base64Invalid: reply(501, '5.5.2', 'Not valid base64'),
  authenticationUnavailable: reply(454, '4.7.0', 'Temporary authentication failure'),
  clientThrottled: reply(421, '4.7.0', 'Too many failed authentications from your address, try again later'),
  tooManyAuthenticationFailures: reply(421, '4.7.0', 'Too many failed authentications'),

  // The envelope
  credentialRevoked: reply(550, '5.7.1', 'This API token is no longer valid'),
  sendingRefused: reply(550, '5.7.1', 'Sending is not allowed at the moment'),
  senderNotAllowed: reply(550, '5.7.1', 'The sender is not of the domain of this API token'),
  senderInvalid: reply(501, '5.1.7', 'Bad sender address syntax'),
  recipientInvalid: reply(501, '5.1.3', 'Bad recipient address syntax'),
  tooManyRecipients: reply(452, '4.5.3', 'Too many recipients'),
  utf8NotAnnounced: reply(553, '5.6.7', 'The address needs the SMTPUTF8 parameter of MAIL'),
  dsnNotOffered: reply(555, '5.5.4', 'DSN is not offered: deliveries are reported by webhook'),
  requireTlsNotOffered: reply(555, '5.7.30', 'REQUIRETLS is not offered: not every next hop has TLS'),
  parameterInvalid: reply(501, '5.5.4', 'A parameter is malformed'),
  parameterRepeated: reply(501, '5.5.4', 'A parameter is given twice'),
  parameterUnknown: reply(555, '5.5.4', 'Parameter not recognized'),
  memoryFull: reply(452, '4.3.1', 'Too much mail in transit, try again later'),

  // The message
  messageTooLarge: reply(552, '5.3.4', 'Message too large'),
  bareLineEnd: reply(550, '5.6.0', 'The message has a CR or an LF that is not part of a CRLF'),
  nulByte: reply(550, '5.6.0', 'The message has a NUL byte'),
  lineTooLong: reply(550, '5.6.0', 'The message has a line of more than 998 bytes'),
  headerTooLarge: reply(550, '5.6.0', 'The message header is too large'),
  headerMalformed: reply(550, '5.6.0', 'The message header has a malformed line'),
  fromMissing: reply(550, '5.6.0', 'The message has no From field'),
  fromRepeated: reply(550, '5.6.0', 'The message has more than one From field'),
  fromInvalid: reply(550, '5.6.0', 'The From field is not exactly one valid address'),
  toMissing: reply(550, '5.6.0', 'The message has no To field'),
  senderFieldInvalid: reply(550, '5.6.0', 'A Sender, Resent-From or Resent-Sender field is not valid'),
  mailLoop: reply(554, '5.4.6', 'Too many Received fields, this is a mail loop'),
  messageInvalid: reply(550, '5.6.0', 'The message is not valid'),
  recipientsBlocked: reply(550, '5.7.1', 'All recipients are on the block list of the domain'),
  tooFast: reply(451, '4.7.1', 'You are sending emails too quickly'),
  keyRunning: reply(451, '4.3.0', 'A message with this X-Postern-Idempotency-Key is being taken over'),
  keyUsedOtherwise: reply(550, '5.6.0', 'This X-Postern-Idempotency-Key was used for another message'),
  notTakenOver: reply(451, '4.3.0', 'The message could not be taken over, try again later'),
  internalError: reply(451, '4.3.0', 'Internal error, try again later'),
  queued: reply(250, '2.0.0', 'Ok: queued as'),
} as const satisfies Record<string, Reply>;

export type ReplyName = keyof typeof replies;

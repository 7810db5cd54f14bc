/** What a mail that came to a return path says. */

/** `delayed` says that the server still tries: never a bounce. */
export type RecipientOutcome = 'failed' | 'delayed' | 'delivered';

export interface RecipientReport {
  /** As the reporting server names it; undefined where it names none. */
  address: string | undefined;
  /** Its other names in the same notification: where it was forwarded to */
  aliases?: readonly string[];
  outcome: RecipientOutcome;
  /** Enhanced status code, `5.1.1` */
  status: string | undefined;
  /** The server that refused */
  mx: string | undefined;
  /** Its words; untrusted text, empty where the report has none */
  diagnostic: string;
  /** What the reporting server tells about it in prose; untrusted text, often more than about this recipient */
  prose: string;
}

export type Report =
  /** A delivery status notification, or prose to the same effect. At least one recipient. */
  | { kind: 'delivery'; form: 'notification' | 'prose'; recipients: RecipientReport[] }
  /** Somebody called the message spam (RFC 5965). */
  | { kind: 'complaint'; feedbackType: string; recipients: string[]; reporter: string | undefined }
  /** A person or a program answered: not a bounce (RFC 3834). */
  | { kind: 'automatic-reply' }
  /** Ordinary mail. */
  | { kind: 'other' };

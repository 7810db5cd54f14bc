/**
 * Reads a dialog file: one SMTP conversation a file, one step a line, after chasquid's.
 *
 *   # The first comment is the title: the case id and what must happen.
 *   c connect starttls          opens connection c to a listener: starttls, tls or alternative
 *   c <~ 250 2\.1\.0            reads one reply, all its lines; the regular expression matches from its start
 *   c -> MAIL FROM:<a@${domain}>    sends a line; ${…} stands for a fact of the stack
 *   c => "a\n.\r\n\0\xff"       sends bytes as they are written, nothing behind them
 *   c =1> "a\r\n"               the same in writes of one byte each
 *   c repeat 1000 "line\r\n"    sends bytes again and again
 *   c starttls                  STARTTLS, 220, handshake
 *   c handshake                 only the handshake
 *   c auth                      AUTH PLAIN with the token, 235
 *   c login                     connect starttls, EHLO, STARTTLS, EHLO, AUTH
 *   c closed                    the server closes within three seconds, and says nothing more
 *   c fails                     the handshake fails, or the server closes
 */
export interface Step {
  line: number;
  connection: string;
  verb: string;
  argument: string;
}

export interface Dialog {
  title: string;
  steps: Step[];
}

const STEP = /^(?<connection>[a-z]) (?<verb>\S+) ?(?<argument>.*)$/;

/** Throws with the line number where a line is no step. */
export function parseDialog(text: string): Dialog {
  const lines = text.split('\n');
  const title = lines
    .find((line) => line.startsWith('#'))
    ?.slice(1)
    .trim();
  if (!title) throw new Error('a dialog begins with its title as a comment');
  const steps = lines.flatMap((text, index) => {
    if (text.trim() === '' || text.startsWith('#')) return [];
    const { connection, verb, argument } = STEP.exec(text)?.groups ?? {};
    if (!connection || !verb) throw new Error(`line ${index + 1} is no step: ${text}`);
    return [{ line: index + 1, connection, verb, argument: argument ?? '' }];
  });
  return { title, steps };
}

/** Puts the facts in. Throws on one that is not there. */
export function fillIn(text: string, facts: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = facts[name];
    if (value === undefined) throw new Error(`there is no fact ${name}`);
    return value;
  });
}

/** The bytes of a quoted text with \r \n \0 \t \\ \" and \xHH. */
export function readBytes(quoted: string): Buffer {
  const inner = /^"(.*)"$/.exec(quoted)?.[1];
  if (inner === undefined) throw new Error(`bytes stand in quotes: ${quoted}`);
  const plain: Record<string, string> = { r: '\r', n: '\n', '0': '\0', t: '\t', '\\': '\\', '"': '"' };
  const text = inner.replaceAll(
    /\\(?:x([0-9a-f]{2})|(.))/gi,
    (_, hex: string | undefined, letter: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      const byte = plain[letter];
      if (byte === undefined) throw new Error(`unknown escape \\${letter}`);
      return byte;
    },
  );
  return Buffer.from(text, 'latin1');
}

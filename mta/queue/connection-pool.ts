/**
 * In place of ZoneMTA's lib/connection-pool.js, which forgets a destination's other connections after the first reuse.
 * Idle SMTP connections of one sender process, by connection key (connection-key.ts); the most recently used one is
 * taken first.
 */
interface SmtpConnection {
  connected?: boolean;
  _closing?: boolean;
  _destroyed?: boolean;
  logtrail?: unknown[];
  usageCount?: number;
  quit?(): void;
  close?(): void;
}

interface Idle {
  connection: SmtpConnection;
  timer: NodeJS.Timeout;
}

let opened = 0;
let reused = 0;

/** Of this process, since the last call. A connection counts as opened when its first message was sent. */
export function connectionCounts(): { opened: number; reused: number } {
  const counts = { opened, reused };
  opened = 0;
  reused = 0;
  return counts;
}

class ConnectionPool {
  readonly #idle = new Map<string, Idle[]>();

  has(key: string): boolean {
    return this.#idle.has(key);
  }

  delete(key: string): void {
    this.#idle.delete(key);
  }

  /** A connection that is still open, or null. The caller owns it from now on. */
  getConnection(key: string): Idle | null {
    for (let idle = this.#take(key); idle; idle = this.#take(key)) {
      clearTimeout(idle.timer);
      const { connection } = idle;
      if (connection.connected && !connection._closing && !connection._destroyed) {
        connection.logtrail = [];
        reused++;
        return idle;
      }
      this.killConnection(null, connection);
    }
    return null;
  }

  add(key: string, connection: SmtpConnection, ttlSeconds: number): void {
    const timer = setTimeout(() => this.#expire(key, connection), ttlSeconds * 1000).unref();
    const list = this.#idle.get(key) ?? [];
    list.push({ connection, timer });
    this.#idle.set(key, list);
    if (connection.usageCount === 1) opened++;
  }

  killConnection(error: unknown, connection: SmtpConnection): void {
    if (!error) connection.quit?.();
    setImmediate(() => connection.close?.());
  }

  #take(key: string): Idle | undefined {
    const list = this.#idle.get(key);
    const idle = list?.pop();
    if (list?.length === 0) this.#idle.delete(key);
    return idle;
  }

  #expire(key: string, connection: SmtpConnection): void {
    const list = (this.#idle.get(key) ?? []).filter((idle) => idle.connection !== connection);
    if (list.length > 0) this.#idle.set(key, list);
    else this.#idle.delete(key);
    this.killConnection(null, connection);
  }
}

export { ConnectionPool as 'module.exports' };

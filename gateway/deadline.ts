/** A timer that is set anew, fires once, and keeps no process alive. */
export interface Deadline {
  set(afterMs: number): void;
  clear(): void;
}

export function createDeadline(expire: () => void): Deadline {
  let timer: NodeJS.Timeout | undefined;
  return {
    set(afterMs) {
      clearTimeout(timer);
      timer = setTimeout(expire, afterMs).unref();
    },
    clear: () => clearTimeout(timer),
  };
}

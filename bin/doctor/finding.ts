export interface Finding {
  check: string;
  isWell: boolean;
  detail: string;
  /** What to do; only where it is not well */
  remedy?: string;
}

/** @param fault undefined: it is well, and `well` says how */
export function finding(check: string, fault: string | undefined, well: string, remedy: string): Finding {
  return fault === undefined
    ? { check, isWell: true, detail: well }
    : { check, isWell: false, detail: fault, remedy };
}

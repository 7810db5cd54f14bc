/** Held for as long as a command works here: its deployment may have been killed meanwhile, and another begun. */
export const holdPhaseLock = `exec 8>>"$root/phase.lock"
if ! flock -w 60 8; then
  echo "a command of an earlier deployment is still at work here" >&2
  exit 75
fi`;

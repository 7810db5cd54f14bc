/**
 * The scripts by which a release comes onto a host, becomes the current one, and goes. Each may be run again after it was
 * killed at any moment: what is half done has a name that nobody looks for, and gets its own by a rename.
 */
import type { Layout } from './layout.ts';
import { holdPhaseLock } from './phase-lock.ts';
import { quote, script } from './shell.ts';

export interface Release {
  name: string;
  /** Of git, 40 hex digits */
  revision: string;
}

/** stdin: the archive, tar.gz */
export function receiveRelease({ releases, shared, root }: Layout, { name, revision }: Release): string {
  return script(
    { root, releases, shared, name, revision },
    `
${holdPhaseLock}
if [ -d "$releases/$name" ]; then cat >/dev/null; exit; fi
# What killed deployments left behind
rm -rf "$releases"/.partial-*
partial=$releases/.partial-$name
mkdir "$partial"
tar -xzf - -C "$partial"
printf '%s\\n' "$revision" >"$partial/REVISION"
# bin/postern looks for the installation in var/
ln -s "$shared" "$partial/var"
# A release that survives a power failure is a whole one.
sync -f "$partial"
mv -T "$partial" "$releases/$name"`,
  );
}

/**
 * The packages of package-lock.json: hard links to those of another release, or of root/packages, where the lock is the
 * same; else by npm, with the registry that npm on the host is set to. Then the settings are checked with the new code.
 */
export function completeRelease(layout: Layout, name: string): string {
  const { root, releases, packages, shared } = layout;
  return script(
    { root, release: `${releases}/${name}`, releases, packages, shared },
    `
${holdPhaseLock}
cd "$release"
has_packages() { cmp -s package-lock.json "$1/node_modules/.installed-lock.json"; }
how='were there'
if ! has_packages .; then
  how='by npm'
  source=
  for other in "$packages" "$releases"/[0-9]*; do
    if [ "$other" != "$release" ] && has_packages "$other"; then source=$other; fi
  done
  if [ -n "$source" ]; then
    how="those of $(basename "$source")"
    rm -rf node_modules .node_modules
    # No link goes from one filesystem to another.
    if ! cp -al "$source/node_modules" .node_modules 2>/dev/null; then
      rm -rf .node_modules
      cp -a "$source/node_modules" .node_modules
    fi
    mv -T .node_modules node_modules
  fi
fi
# Without development dependencies
NODE_ENV=production deploy/local/install-packages
node_modules/node/bin/node bin/postern.ts --directory "$shared" config check >/dev/null
printf 'packages: %s\\n' "$how"`,
  );
}

/** rename(2): at every moment there is one current release. @param reason for the log of deployments */
export function switchTo({ root }: Layout, name: string, reason: string): string {
  return script(
    { root, name, reason },
    `
${holdPhaseLock}
if [ "$(readlink "$root/current" || true)" = "releases/$name" ]; then exit; fi
ln -sfn "releases/$name" "$root/.current"
mv -T "$root/.current" "$root/current"
printf '%s %s %s %s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$reason" "$name" "$(cat "$root/releases/$name/REVISION")" \\
  >>"$root/deployments.log"
sync "$root"`,
  );
}

/** Renamed first: one that is half gone is no release. */
export function removeReleases({ root, releases }: Layout, names: readonly string[]): string {
  return script(
    { root, releases },
    `
${holdPhaseLock}
for name in ${names.map(quote).join(' ')}; do mv -T "$releases/$name" "$releases/.removed-$name"; done
rm -rf "$releases"/.removed-*`,
  );
}

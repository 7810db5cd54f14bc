/** Where things lie on a host: Capistrano's layout. */

export interface Layout {
  root: string;
  /** One directory a release, named by the moment it was made: 20261124215959 (UTC) */
  releases: string;
  /** The installation's directory: settings, secrets, logs; of all releases */
  shared: string;
  /** A symlink to the release that runs */
  current: string;
  /** node_modules and package-lock.json that somebody has put there: for hosts without a registry in reach */
  packages: string;
  /** Held for as long as a deployment lasts */
  deployLock: string;
}

export function layOut(root: string): Layout {
  return {
    root,
    releases: `${root}/releases`,
    shared: `${root}/shared`,
    current: `${root}/current`,
    packages: `${root}/packages`,
    deployLock: `${root}/deploy.lock`,
  };
}

export function nameRelease(moment: Date): string {
  return moment.toISOString().replaceAll(/\D/g, '').slice(0, 14);
}

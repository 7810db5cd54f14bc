/** Looks up the sites of domains before anything is sent there, each once at a time. */
import type { FindSite } from '../../lib/mx-site.ts';

export class SiteSearch {
  readonly #findSite: FindSite;
  readonly #onFound: (domain: string, site: string) => void;
  readonly #domains = new Set<string>();

  /** @param findSite does not reject */
  constructor(findSite: FindSite, onFound: (domain: string, site: string) => void) {
    this.#findSite = findSite;
    this.#onFound = onFound;
  }

  readonly begin = (domain: string): void => {
    if (this.#domains.has(domain)) return;
    this.#domains.add(domain);
    void this.#findSite(domain).then((site) => {
      this.#domains.delete(domain);
      this.#onFound(domain, site);
    });
  };
}

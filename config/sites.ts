/**
 * Sites: the provider behind a recipient domain's MX. Millions of domains share a few of them, and they count
 * connections over all of those together, so limits and pauses speak of sites.
 */

/** Suffixes of the names of MX hosts. */
const RULES: Readonly<Record<string, readonly string[]>> = {
  google: ['google.com', 'googlemail.com'],
  microsoft: ['outlook.com', 'hotmail.com', 'mx.microsoft', 'office365.us'],
  yahoo: ['yahoodns.net'],
  apple: ['icloud.com', 'apple.com', 'me.com'],
  gmx: ['gmx.net', 'gmx.com', 'web.de', 'mail.com'],
  ionos: ['kundenserver.de', 'ionos.com', 'ionos.de', 'ionos.co.uk', 'ionos.fr', 'ionos.es', '1and1.com'],
  telekom: ['t-online.de'],
  proton: ['protonmail.ch', 'proton.ch'],
  fastmail: ['messagingengine.com'],
  zoho: ['zoho.com', 'zoho.eu', 'zoho.in'],
  mimecast: ['mimecast.com', 'mimecast.co.za', 'mimecast-offshore.com'],
  proofpoint: ['pphosted.com', 'ppe-hosted.com'],
  cisco: ['iphmx.com'],
  barracuda: ['barracudanetworks.com', 'barracuda.com'],
  amazon: ['amazonaws.com'],
  yandex: ['yandex.net', 'yandex.ru'],
  mailru: ['mail.ru'],
  tencent: ['qq.com', 'exmail.qq.com'],
  netease: ['163.com', '126.com', 'netease.com'],
  ovh: ['ovh.net', 'ovh.com', 'ovh.ca'],
  gandi: ['gandi.net'],
  orange: ['orange.fr', 'orange.com', 'wanadoo.fr'],
  free: ['free.fr', 'proxad.net'],
  comcast: ['comcast.net'],
  godaddy: ['secureserver.net'],
  rackspace: ['emailsrvr.com'],
  hostinger: ['hostinger.com'],
  namecheap: ['registrar-servers.com', 'privateemail.com'],
  cloudflare: ['cloudflare.net'],
};

const siteOfSuffix = new Map(
  Object.entries(RULES).flatMap(([site, suffixes]) => suffixes.map((suffix) => [suffix, site] as const)),
);

/** Under a country's domain a short second label is a registry's own: co.uk, com.au, or.jp. */
const REGISTRY_LABEL = /^(?:com?|net|org|gov|edu|ac|ne|or|go|gob|gub|nom|mil|id)$/;

/**
 * @param hostname of the MX, in any case, with or without the final dot
 * @returns the provider's name; of an unknown one the domain that its hosts share; the name itself where it has no parts
 */
export function siteOfMx(hostname: string): string {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  const labels = name.split('.');
  if (labels.length < 2 || /^[\d.:[\]]+$/.test(name)) return name;
  for (let start = 0; start < labels.length - 1; start++) {
    const site = siteOfSuffix.get(labels.slice(start).join('.'));
    if (site !== undefined) return site;
  }
  const isRegistry = labels.at(-1)?.length === 2 && REGISTRY_LABEL.test(labels.at(-2) ?? '');
  return labels.slice(isRegistry ? -3 : -2).join('.');
}

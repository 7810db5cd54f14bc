/**
 * Every end of an attempt, by what an operator asks about. One counter a question: zones, sites, organizations and classes
 * multiplied with each other would be more series than mail.
 */
import { Counter, type Registry } from 'prom-client';
import { capLabel } from '../../lib/capped-label.ts';
import type { EndedDelivery } from './ended-delivery.ts';
import type { ClaimedRow } from './rows.ts';

const MAX_SITES = 50;
const MAX_ORGANIZATIONS = 50;

/** @returns counts one ending; `siteOf` is the provider behind its domain, as deliveries before it have shown */
export function createDeliveryMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers });
  const byZone = counter('postern_attempts_total', 'Attempts that ended, by how and zone', ['type', 'zone']);
  const bySite = counter('postern_site_attempts_total', 'Attempts that ended, by how and site', [
    'type',
    'site',
  ]);
  const byOrganization = counter(
    'postern_organization_attempts_total',
    'Attempts that ended, by how and organization',
    ['type', 'organization'],
  );
  const refusals = counter(
    'postern_refusals_total',
    'Attempts that were refused or deferred, by what the reply means (docs/bounces.md)',
    ['type', 'class'],
  );
  const siteLabel = capLabel(MAX_SITES);
  const organizationLabel = capLabel(MAX_ORGANIZATIONS);
  return (
    { type, verdict, site }: EndedDelivery,
    { zone, organizationId }: ClaimedRow,
    siteOf: () => string | undefined,
  ): void => {
    byZone.inc({ type, zone });
    bySite.inc({ type, site: siteLabel(site ?? siteOf()) });
    byOrganization.inc({ type, organization: organizationLabel(organizationId) });
    if (verdict) refusals.inc({ type, class: verdict.class });
  };
}

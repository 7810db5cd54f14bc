/** Slowdowns and operators: what is to be tried at once is not kept waiting by what its destination said before. */
import type { RunningQueue } from '../queue/running-queue.ts';
import type { Selector } from '../queue/selector.ts';

/** Of the destinations that the selector may concern. */
export function endSlowdowns({ claims }: Pick<RunningQueue, 'claims'>, selector: Selector): void {
  const { scheduler } = claims;
  const { destinations } = scheduler;
  const domain = selector.domain?.toLowerCase() ?? selector.recipient?.toLowerCase().split('@').at(-1);
  const site = selector.site?.toLowerCase() ?? (domain && destinations.siteOf(domain));
  destinations.slowdowns.clear(({ zone, destination }) => {
    if (selector.zone !== undefined && selector.zone !== zone) return false;
    if (destination === `site:${site}`) return true;
    if (domain !== undefined) return destination === domain;
    return selector.site === undefined || destinations.siteOf(destination) === site;
  });
  scheduler.reconsider();
  claims.pumpAllZones();
}

/** The dashboard and the alert rules that we ship, and what they speak of. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../deploy/local/installation.ts';

export const rulesFile = join(projectRoot, 'deploy/monitoring/prometheus-rules.yml');
export const dashboardFile = join(projectRoot, 'deploy/monitoring/grafana-dashboard.json');

interface Dashboard {
  title: string;
  panels: {
    id: number;
    type: string;
    title: string;
    gridPos: { x: number; y: number; w: number; h: number };
    targets?: { expr: string }[];
  }[];
}

export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(dashboardFile, 'utf8')) as Dashboard;
}

/** The metrics that a text names, without what a histogram adds to its name. */
export function namesIn(text: string): string[] {
  const names = text.match(/\b(postern|nodejs|process)_[a-z0-9_]+/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(bucket|count|sum)$/, '')))].sort();
}

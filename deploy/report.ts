/** The lines that a deployment shows: one a phase and host. */

export function formatLine(mark: '✓' | '✗', phase: string, where: string, text: string, ms: number): string {
  const seconds = `${(ms / 1_000).toFixed(1)} s`;
  return `${mark} ${phase.padEnd(11)} ${where.padEnd(20)} ${text.padEnd(44)} ${seconds.padStart(8)}`;
}

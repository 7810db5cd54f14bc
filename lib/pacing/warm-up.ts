/**
 * Warm-up: what a new source address may send to one site a day, until the site knows it. A step of the schedule is
 * left behind only by a day that went well. Pure; a day is one of UTC.
 */
const DAY_MS = 86_400_000;
/** Messages a day, by step; after the last one the address is warm. */
const SCHEDULE = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 40_000, 70_000, 100_000] as const;
const MAX_DEFERRAL_RATE = 0.05;
const MAX_COMPLAINT_RATE = 0.001;

export interface WarmUp {
  /** Index into the schedule */
  step: number;
  /** Days since the epoch, that the counts are of */
  day: number;
  attempts: number;
  deferrals: number;
  complaints: number;
}

export function startWarmUp(now: number): WarmUp {
  return { step: 0, day: dayOf(now), attempts: 0, deferrals: 0, complaints: 0 };
}

export function isWarm({ step }: WarmUp): boolean {
  return step >= SCHEDULE.length;
}

/** The state of today: a day that is over is judged. A clock that was set back changes nothing. */
export function advance(state: WarmUp, now: number): WarmUp {
  const day = dayOf(now);
  if (day <= state.day || isWarm(state)) return state;
  return { step: nextStep(state), day, attempts: 0, deferrals: 0, complaints: 0 };
}

/** Messages that it may still send today; `Infinity` once it is warm. */
export function allowance(state: WarmUp, now: number): number {
  const today = advance(state, now);
  return Math.max(0, (SCHEDULE[today.step] ?? Number.POSITIVE_INFINITY) - today.attempts);
}

/** A day with little mail proves little: the step stays. One that was complained about goes back a step. */
function nextStep({ step, attempts, deferrals, complaints }: WarmUp): number {
  if (attempts > 0 && complaints / attempts > MAX_COMPLAINT_RATE) return Math.max(0, step - 1);
  const isUsed = attempts >= (SCHEDULE[step] ?? 0) / 2;
  return isUsed && deferrals / attempts <= MAX_DEFERRAL_RATE ? step + 1 : step;
}

function dayOf(now: number): number {
  return Math.floor(now / DAY_MS);
}

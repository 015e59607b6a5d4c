// A rollout's plan, as package rollout of the manifests documents every field.
// The contract leaves it open; this is the part that forms and dialogs read.
import { gap } from '../parts/format';

export interface PlanStage {
  sharePPM: number;
  soak: string;
  minVotes?: number;
  approvals?: number;
  passPPM?: number;
}

export interface Guard {
  failuresPPM?: number;
  silencePPM?: number;
  regressionsPPM?: number;
  refusalsPPM?: number;
  unheardPPM?: number;
  newReasonPPM?: number;
  reasonsPPM?: Record<string, number>;
  grace?: string;
  reportOnly?: string[];
}

export interface Audience {
  models?: string[];
  regions?: string[];
  fromBuilds?: { min: number; max: number };
  lab?: string[];
}

export type Kind = 'optional' | 'normal' | 'critical';

export interface Plan {
  product: string;
  build: number;
  channel: string;
  audience?: Audience;
  stages: PlanStage[];
  kind: Kind;
  deadline?: string;
  deferral: string;
  window?: { from: string; to: string };
  spread: string;
  start?: string;
  advance?: 'auto' | 'manual';
  guard?: Guard;
  budget?: { maxHarmed: number; fleet: number };
  rescues?: string;
}

/** The whole fleet, in parts per million. */
export const WHOLE = 1_000_000;

/** A share as people write it: 10000 is "1 %". Exact: nothing is rounded. */
export function percent(ppm: number): string {
  return `${Number((ppm / 10_000).toFixed(4))}${gap}%`;
}

/** How many of a fleet a share is, rounded up, as the server counts them. */
export function handsetsOf(ppm: number, fleet: number): number {
  return Math.ceil((fleet * ppm) / WHOLE);
}

const groups = new Intl.NumberFormat('en');

/** A whole number with its thousands apart. */
export function grouped(n: number): string {
  return groups.format(n);
}

const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

/** Seconds of a duration such as 90s, 15m, 12h or 30d; undefined if it is none. */
export function seconds(text: string): number | undefined {
  const m = /^(0|[1-9][0-9]{0,6})([smhd])$/.exec(text.trim());
  if (!m) return undefined;
  const n = Number(m[1]) * units[m[2]!]!;
  return n <= 3650 * 86400 ? n : undefined;
}

/** Seconds as people say them: 90000 is "1 d 1 h". */
export function span(total: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.round(total));
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]] as const) {
    if (rest >= size || (unit === 's' && parts.length === 0)) {
      parts.push(`${Math.floor(rest / size)} ${unit}`);
      rest %= size;
    }
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

// The stages of a rollout as they are shown one under the other.
import type { S } from '../../api/client';

/** One stage on the track. */
export interface Step {
  n: number;
  stage: S['Stage'];
  state: 'done' | 'current' | 'ahead' | 'never';
  handsets?: number;
  opened?: string;
  /** Why it was opened, as the log has it. */
  why?: string;
  /** When the next one was opened. */
  left?: string;
  /** The counts on which it was left. */
  counts?: Partial<S['HealthCounts']>;
  soaked?: string;
  earliest?: string;
  people: S['Person'][];
  needed?: number;
}

const unit: Record<string, number> = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

/** Milliseconds of a duration of the manifests: 90s, 15m, 12h, 30d. */
export function span(text: string): number {
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce((sum, m) => sum + Number(m[1]) * (unit[m[2] ?? ''] ?? 0), 0);
}

/** Who stands behind a stage: who proposed it, and who approved it that far. */
export function people(r: S['Rollout'], stage: number): S['Person'][] {
  const out = r.proposer ? [r.proposer] : [];
  for (const a of r.approvals) {
    if (a.upTo >= stage && !out.some((p) => p.id === a.by.id)) out.push(a.by);
  }
  return out;
}

type Detail = { state?: string; stage?: number; evidence?: { counts?: Partial<S['HealthCounts']> } };

/** The row of the log that opened a stage. */
function opening(entries: S['TimelineEntry'][], stage: number): S['TimelineEntry'] | undefined {
  return entries.find((e) => {
    const d = (e.detail ?? {}) as Detail;
    return d.state === 'active' && d.stage === stage && /\.(start|advance|break-glass)$/.test(e.what);
  });
}

function stateOf(r: S['Rollout'], n: number): Step['state'] {
  const begun = r.stageSince !== undefined;
  if (begun && n < r.stage) return 'done';
  if (begun && n === r.stage) return r.state === 'complete' ? 'done' : 'current';
  return r.state === 'superseded' || r.state === 'abandoned' ? 'never' : 'ahead';
}

/** All stages of a rollout, the first first. */
export function track(r: S['Rollout'], h: S['Health'] | undefined, entries: S['TimelineEntry'][]): Step[] {
  const fleet = h?.blast.fleet;
  return r.stages.map((stage, n) => {
    const opened = opening(entries, n);
    const after = opening(entries, n + 1) ?? (n === r.stages.length - 1 ? entries.find((e) => (e.detail as Detail)?.state === 'complete') : undefined);
    const state = stateOf(r, n);
    const since = n === r.stage ? r.stageSince : (opened?.at ?? h?.opened.find((o) => o.stage === n)?.at);
    return {
      n, stage, state,
      handsets: fleet === undefined ? undefined : Math.ceil((fleet * stage.sharePPM) / 1e6),
      opened: state === 'ahead' ? undefined : since,
      why: opened?.why,
      left: state === 'done' ? after?.at : undefined,
      counts: state === 'done' ? ((after?.detail ?? {}) as Detail).evidence?.counts : undefined,
      soaked: state === 'current' && since ? new Date(Date.parse(since) + span(stage.soak)).toISOString() : undefined,
      earliest: state === 'ahead' ? h?.plan?.find((p) => p.stage === n)?.at : undefined,
      people: people(r, n),
      needed: r.needed?.[n],
    };
  });
}

// The overview in one second: is anything wrong, what moves, what is next.
import type { S } from '../../api/client';
import { brief, next, type Mark, type Tone } from '../../parts/verdict/headline';

type Overview = S['Overview'];

export interface Glance {
  word: string;
  says: string;
  mark: Mark;
  tone: Tone;
  /** Rollouts that handsets are offered now. */
  active: number;
  /** The others that are under way, in words. */
  others: string;
  /** What happens next by itself. */
  next?: { at: string; what: string; earliest: boolean; rollout: S['RolloutBrief'] };
}

function plural(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

function trouble(o: Overview): Pick<Glance, 'word' | 'says' | 'mark' | 'tone'> {
  const now = o.attention.filter((a) => a.severity === 'now');
  const soon = o.attention.filter((a) => a.severity === 'soon');
  const first = o.attention[0]?.sentence ?? '';
  const halted = now.filter((a) => a.kind === 'halted').length;
  if (halted > 0) return { word: plural(halted, 'halted', 'halted'), says: first, mark: 'halt', tone: 'bad' };
  if (now.length > 0) return { word: plural(now.length, 'thing is urgent', 'things are urgent'), says: first, mark: 'halt', tone: 'bad' };
  if (soon.length > 0) return { word: plural(soon.length, 'thing waits for people', 'things wait for people'), says: first, mark: 'open', tone: 'warn' };
  return { word: 'Nothing is wrong', says: o.attention.length > 0 ? `${plural(o.attention.length, 'notice')} below; none of them is urgent.` : 'Nothing needs a person.', mark: 'pass', tone: 'good' };
}

/** All rollouts that run or wait for people. */
export function running(o: Overview): S['RolloutBrief'][] {
  return o.products.flatMap((p) => p.rollouts);
}

export function glance(o: Overview): Glance {
  const all = running(o);
  const count = (state: S['RolloutState']) => all.filter((r) => r.state === state).length;
  const others = ([['scheduled', 'scheduled'], ['held', 'paused'], ['proposed', 'waiting for people'], ['approved', 'ready to start']] as const)
    .map(([state, word]) => [count(state), word] as const)
    .filter(([n]) => n > 0)
    .map(([n, word]) => `${n} ${word}`)
    .join(', ');
  const events = all
    .filter((r) => r.state === 'active' || r.state === 'scheduled')
    .map((r) => ({ rollout: r, ...next(brief(r)) }))
    .filter((e): e is typeof e & { at: string } => e.at !== undefined)
    .sort((a, b) => a.at.localeCompare(b.at));
  const first = events[0];
  return {
    ...trouble(o), active: count('active'), others,
    next: first && { at: first.at, what: first.what, earliest: first.earliest, rollout: first.rollout },
  };
}

const urgency: Record<S['Attention']['severity'], number> = { now: 3, soon: 2, notice: 1 };

/** Products: those that need somebody first, then those that move, then the rest by name. */
export function ordered(o: Overview): S['ProductBrief'][] {
  const weight = (p: S['ProductBrief']) => {
    const most = Math.max(0, ...o.attention.filter((a) => a.product === p.name && a.rollout).map((a) => urgency[a.severity]));
    return most * 100 + (p.rollouts.some((r) => r.state === 'active') ? 10 : 0) + (p.rollouts.length > 0 ? 1 : 0);
  };
  return o.products
    .map((p) => [weight(p), p] as const)
    .sort(([a, p], [b, q]) => b - a || p.name.localeCompare(q.name))
    .map(([, p]) => p);
}

/** Where one goes to do something about it. */
export function link(a: S['Attention']): string {
  if (a.rollout) return `/rollouts/${encodeURIComponent(a.rollout)}`;
  if (a.event) return `/events/${encodeURIComponent(a.event)}`;
  if (a.kind === 'expiry') return '/keys';
  if (a.kind === 'trouble') return '/system';
  if (a.product) return `/products/${encodeURIComponent(a.product)}`;
  return '/approvals';
}

/** Whole days left, below 0 once it is over. */
export function daysLeft(by: string, now: Date): number {
  return Math.floor((Date.parse(by) - now.getTime()) / 86_400_000);
}

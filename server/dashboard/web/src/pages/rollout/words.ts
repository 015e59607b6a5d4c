// The log of a rollout in words.
import type { S } from '../../api/client';
import { ppm } from '../../parts/format';

type Entry = S['TimelineEntry'];

/** What the log keeps beside a step. */
export interface Detail {
  action?: string;
  state?: string;
  stage?: number;
  sharePPM?: number;
  because?: string;
  people?: S['Person'][];
  judgedAt?: string;
  evidence?: { counts?: Partial<S['HealthCounts']>; lab?: { handset: string; reason: string }[] };
  verdict?: { outcome?: string; sentence?: string; findings?: S['Finding'][] };
  rules?: { minToHalt?: number; passPPM?: number };
}

export function detail(e: Entry): Detail {
  return (e.detail ?? {}) as Detail;
}

const verbs: Record<string, string> = {
  create: 'Made the draft', edit: 'Wrote another plan', propose: 'Proposed it', approve: 'Approved it', reject: 'Sent it back',
  pause: 'Paused it', resume: 'Resumed it', halt: 'Halted it', abandon: 'Gave it up', note: 'Note', restore: 'Restored from a backup',
};

/** What was done, in words. */
export function deed(e: Entry): string {
  const d = detail(e);
  const verb = e.what.replace(/^rollout\./, '');
  const stage = `stage ${(d.stage ?? 0) + 1}${d.sharePPM ? ` (${ppm(d.sharePPM)})` : ''}`;
  switch (verb) {
    case 'start':
      return d.state === 'scheduled' ? 'Scheduled it' : `Started it: ${stage} opened`;
    case 'advance':
      return d.state === 'complete' ? 'Complete' : `Opened ${stage}`;
    case 'break-glass':
      return `Broke the glass: ${d.action ?? 'went past the rules'}, ${stage}`;
    default:
      return verbs[verb] ?? e.what;
  }
}

export type Weight = 'bad' | 'warn' | 'good' | 'plain' | 'note';

/** How an entry looks. */
export function weight(e: Entry): Weight {
  const verb = e.what.replace(/^rollout\./, '');
  if (verb === 'halt') return 'bad';
  if (verb === 'break-glass' || verb === 'pause' || verb === 'reject' || verb === 'restore') return 'warn';
  if (verb === 'advance' || verb === 'start' || verb === 'resume') return 'good';
  return verb === 'note' ? 'note' : 'plain';
}

/** Words for the rules that are watched. */
export const rules: Record<string, string> = {
  lab: 'Lab handsets', failures: 'Failures', reason: 'Failures for one reason', 'new-reason': 'A new reason', regressions: 'Later failures',
  silence: 'Suspected bricks', refusals: 'Could not install', unheard: 'Never began',
};

/** Words for reasons, where the server sends none. */
export const reasons: Record<string, string> = {
  none: 'no reason given', download: 'download failed', verify: 'verification failed', space: 'too little space', power: 'battery too low',
  boot_loop: 'restarted again and again', health_check: 'failed its health check', delta_base: 'patch did not fit', other: 'other',
};

/** Words for the counts, in the order in which they are shown. */
export const counts: [keyof S['HealthCounts'], string][] = [
  ['attempts', 'began'], ['trials', 'told how it ended'], ['healthy', 'healthy'], ['rolledBack', 'rolled back'], ['regressions', 'failed later'],
  ['declined', 'declined'], ['notTried', 'could not install'], ['due', 'old enough to be missed'], ['silent', 'never heard of again'],
];

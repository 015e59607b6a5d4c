// What a rollout is about, at a glance: one verdict, and what comes next.
import type { S } from '../../api/client';
import { ppm } from '../format';
import { called } from '../person';

export type Mark = 'pass' | 'halt' | 'open' | 'pause' | 'still';
export type Tone = 'good' | 'bad' | 'warn' | 'idle';

/** One verdict in words. */
export interface Headline {
  word: string;
  mark: Mark;
  tone: Tone;
  /** The state of the rollout, and how far it is. */
  where: string;
  /** The sentence under the word. */
  says: string;
}

const states: Record<S['RolloutState'], string> = {
  draft: 'Draft', proposed: 'Proposed', approved: 'Approved', scheduled: 'Scheduled', active: 'Rolling out', held: 'Paused',
  halted: 'Halted', complete: 'Complete', superseded: 'Superseded', abandoned: 'Abandoned',
};

const still: Partial<Record<S['RolloutState'], [string, string]>> = {
  draft: ['Draft', 'Its author still writes the plan. No handset has heard of it.'],
  proposed: ['Waiting for people', 'No handset has heard of it. Somebody else than its author has to agree.'],
  approved: ['Ready to start', 'The people whose word it takes have agreed. No handset has heard of it.'],
  scheduled: ['Scheduled', 'It begins by itself. No handset may install it yet.'],
  superseded: ['Superseded', 'A newer build goes to the same handsets. Nobody is offered this one any more.'],
  abandoned: ['Abandoned', 'It was given up before any handset heard of it.'],
};

const verdicts: Record<NonNullable<S['Outlook']['outcome']>, [string, Mark, Tone]> = {
  pass: ['Pass', 'pass', 'good'],
  halt: ['Halt', 'halt', 'bad'],
  undecided: ['Not enough evidence', 'open', 'idle'],
};

/** The first letter as a capital. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What lists and a rollout's own page know of it alike. */
export interface Known {
  state: S['RolloutState'];
  stage: number;
  stages: S['Stage'][];
  reason?: string;
  outcome?: S['Outlook']['outcome'];
  /** The state in words. */
  sentence: string;
  waits: S['Wait'][];
  haltBound?: S['HaltBound'];
  resume?: S['Approval'];
}

/** A rollout as its own page has it. */
export function known(r: S['Rollout']): Known {
  return { ...r, outcome: r.outlook?.outcome, sentence: r.outlook?.sentence ?? '', waits: r.outlook?.waits ?? [] };
}

/** A rollout as lists have it. */
export function brief(r: S['RolloutBrief']): Known {
  return { ...r, waits: r.waits ?? [] };
}

/** A name that people chose within a sentence: it does not turn the words around it. */
const apart = (name: string) => `\u2068${name}\u2069`;

function where(r: Known): string {
  const of = `stage ${r.stage + 1} of ${r.stages.length}`;
  if (r.state === 'active' || r.state === 'held' || r.state === 'halted') return `${states[r.state]} · ${of}`;
  return states[r.state];
}

/** The verdict of a rollout; unknown says that nobody can report about it. */
export function headline(r: Known, unknown = false): Headline {
  const at = where(r);
  if (r.state === 'halted') {
    return { word: 'Halted', mark: 'halt', tone: 'bad', where: at, says: sentence(r.reason ?? 'No handset installs it any more.') };
  }
  const quiet = still[r.state];
  if (quiet) return { word: quiet[0], mark: 'still', tone: 'idle', where: at, says: quiet[1] };
  const [word, mark, tone] = verdicts[r.outcome ?? 'undecided'];
  if (unknown && mark !== 'halt') {
    return { word: verdicts.undecided[0], mark: 'open', tone: 'warn', where: at, says: 'No handset can report about this build, so no number will ever prove that it is good or bad.' };
  }
  return { word, mark, tone, where: at, says: sentence(verdict(r)) };
}

/** The sentence of the outlook without what it says about waiting: the page counts down itself. */
export function verdict(r: Known): string {
  const all = r.sentence;
  const steps = /(^|; )(next stage (now|in )|complete( now| in |$)|stage 1 (now|in )|paused until )/.exec(all);
  const ends = [steps?.index ?? -1, ...r.waits.map((w) => Math.max(all.indexOf(`; ${w.sentence}`), all.startsWith(w.sentence) ? 0 : -1))];
  const end = Math.min(...ends.filter((n) => n >= 0), all.length);
  return all.slice(0, end) || 'No outcome has been counted yet';
}

/** What happens next. */
export interface Next {
  what: string;
  /** When, or when at the earliest. */
  at?: string;
  /** Something else than time is lacking too, so that at is the earliest. */
  earliest: boolean;
  /** What is lacking besides time. */
  needs: string[];
  /** What keeps it from happening. */
  unless?: string;
  /** Nothing happens by itself. */
  idle?: boolean;
}

/** The last of the moments for which a rollout waits. */
export function until(waits: S['Wait'][]): string | undefined {
  return waits.map((w) => w.until).filter((u) => u !== undefined).sort().at(-1);
}

function opens(stages: S['Stage'][], n: number): string {
  const stage = stages[n];
  return stage ? `Stage ${n + 1} opens to ${ppm(stage.sharePPM)}` : 'It completes';
}

// The verdict itself stands beside it already.
function need(w: S['Wait']): string {
  return w.code === 'undecided' ? 'The votes have to prove that it is good' : sentence(w.sentence);
}

function idle(what: string, needs: string[] = []): Next {
  return { what, earliest: false, needs, idle: true };
}

/** What happens next, and what it takes. */
export function next(r: Known): Next {
  switch (r.state) {
    case 'draft':
      return idle('Somebody proposes it');
    case 'proposed':
      return idle('Somebody else approves it', r.waits.filter((w) => !w.until).map((w) => sentence(w.sentence)));
    case 'approved':
      return idle('Somebody starts it');
    case 'held':
      return idle('Nothing moves until somebody resumes it');
    case 'halted':
      return {
        what: r.haltBound ? 'until no handset can still install it' : 'Nothing', at: r.haltBound?.at, earliest: false, idle: !r.haltBound,
        needs: r.resume ? [`${apart(called(r.resume.by.name))} wants to resume it; somebody else has to agree`] : [],
      };
    case 'scheduled':
    case 'active': {
      const needs = r.waits.filter((w) => !w.until).map(need);
      const what = opens(r.stages, r.state === 'scheduled' ? 0 : r.stage + 1);
      return { what, at: until(r.waits), earliest: needs.length > 0, needs, unless: 'unless it is halted' };
    }
    case 'complete':
      return idle('Nothing; it stays open for who comes late, and is halted if it fails later');
    default:
      return idle('Nothing');
  }
}

// Which steps a rollout's state and a caller's permissions allow, and what
// each of them does, as package rollout of the server has it. It is pure. The
// server refuses what is not allowed in any case; this keeps people from being
// offered it, and tells them why.

import type { S } from '../api/client';
import { type Plan, percent } from './plan';
import { called } from '../parts/person';

export type StepName = 'propose' | 'approve' | 'reject' | 'start' | 'pause' | 'resume' | 'advance' | 'abandon' | 'note';

export interface Step {
  name: StepName;
  label: string;
  title: string;
  /** What it will do, in sentences. */
  says: string[];
  confirm: string;
  /** widen: more handsets; safe: fewer or none; plain: neither. */
  effect: 'widen' | 'safe' | 'plain';
  reason: 'required' | 'optional';
  reasonHint: string;
  /** The share afterwards, where the step changes it. */
  share?: number;
  /** The stages that an approval may reach, from first to last, counted from 0. */
  upTo?: { first: number; last: number };
  breakGlass?: boolean;
  /** Why this caller cannot take it now; absent if nothing is known against it. */
  barred?: string;
}

export interface Who {
  person: string;
  may(need: S['Permission'], product?: string): boolean;
}

/** Steps that only an admin's broken glass takes past, and no further. */
const glassPasses = ['soaking', 'votes-needed', 'approval-needed', 'undecided', 'manual', 'scheduled'];

const publicReason = 'Owners of handsets and colleagues read it.';

/** The steps on offer, the most likely first. */
export function stepsOf(r: S['Rollout'], who: Who): Step[] {
  const may = (need: S['Permission']) => who.may(need, r.product);
  const out: Step[] = [];
  const add = (need: S['Permission'], step: Step | undefined) => {
    if (step && may(need)) out.push(step);
  };
  switch (r.state) {
    case 'draft':
      add('operate', propose(r));
      add('operate', start(r));
      break;
    case 'proposed':
      add('approve', approve(r, who));
      add('approve', reject(r));
      break;
    case 'approved':
      add('operate', start(r));
      add('approve', approve(r, who));
      add('approve', reject(r));
      break;
    case 'scheduled':
      add('approve', approve(r, who));
      break;
    case 'active':
      add('operate', advance(r, who));
      add('approve', approve(r, who));
      add('halt', pause(r));
      break;
    case 'held':
      add('operate', resumeHeld(r));
      add('approve', approve(r, who));
      break;
    case 'halted':
      if (r.resume) {
        add('approve', approveResume(r, who));
        add('approve', rejectResume(r));
      } else {
        add('operate', resumeHalted(r));
      }
      break;
  }
  if (r.state === 'draft' || r.state === 'proposed' || r.state === 'approved') add('operate', abandon(r));
  return out;
}

/** What an admin may do past people, soak and votes; undefined if nothing is to be passed. */
export function glassOf(r: S['Rollout'], who: Who): Step | undefined {
  if (!who.may('break-glass', r.product)) return undefined;
  const plan = r.plan as unknown as Plan;
  const past = 'It goes past people, soak and votes, never past what the engineers signed, nor against a verdict of halt. The log, the audit log and the webhooks say so loudly, for good.';
  const glass = (name: StepName, title: string, does: string, share: number): Step => ({
    name, title, says: [does, past], confirm: 'Break the glass', label: 'Break the glass …', effect: 'widen',
    reason: 'required', reasonHint: publicReason, share, breakGlass: true,
  });
  switch (r.state) {
    case 'draft':
    case 'proposed':
      return glass('start', 'Start without the word of others', `Opens stage 1 (${percent(plan.stages[0]!.sharePPM)}) at once, whoever has not agreed and whatever time the plan names.`, plan.stages[0]!.sharePPM);
    case 'active': {
      const next = plan.stages[r.stage + 1];
      const waits = r.outlook?.waits ?? [];
      if (r.outlook?.outcome === 'halt' || waits.some((w) => !glassPasses.includes(w.code))) return undefined;
      if (!waits.some((w) => ['soaking', 'votes-needed', 'approval-needed'].includes(w.code))) return undefined;
      const does = next ? `Opens stage ${r.stage + 2} (${percent(next.sharePPM)}) at once.` : 'Makes the rollout complete at once.';
      return glass('advance', 'Advance past the rules', does, next?.sharePPM ?? r.sharePPM);
    }
    case 'halted':
      return glass('resume', 'Resume alone what was halted', `Opens ${percent(r.sharePPM)} again at once, without a second person. Only votes that come from then on are judged.`, r.sharePPM);
  }
  return undefined;
}

/** Whether a halt stops something: handsets hear of it, or will. */
export function canHalt(state: S['RolloutState']): boolean {
  return state === 'scheduled' || state === 'active' || state === 'held' || state === 'complete';
}

function propose(r: S['Rollout']): Step {
  return {
    name: 'propose', label: 'Propose', title: `Propose ${r.product} ${r.build}`, effect: 'plain',
    says: ['Puts the plan before the others. You count as the first who agrees. Where no other person is needed for stage 1 it is approved at once.', 'No handset hears of it yet.'],
    confirm: 'Propose', reason: 'optional', reasonHint: 'What others should know before they agree.',
  };
}

function start(r: S['Rollout']): Step {
  const plan = r.plan as unknown as Plan;
  const first = plan.stages[0]!;
  const draft = r.state === 'draft';
  const later = plan.start ? ` If the plan’s start (${plan.start}) is still to come, it is scheduled for then.` : '';
  return {
    name: 'start', label: draft ? 'Propose and start' : 'Start', title: `Start ${r.product} ${r.build}`, effect: 'widen',
    says: [`Opens stage 1 to ${percent(first.sharePPM)} of the audience.${later}`, ...(draft ? ['If stage 1 needs the word of others, nothing is started; propose it then.'] : [])],
    confirm: draft ? 'Propose and start' : 'Start', reason: 'optional', reasonHint: publicReason, share: first.sharePPM,
  };
}

function people(r: S['Rollout'], stage: number): string[] {
  const out = r.proposer?.id ? [r.proposer.id] : [];
  for (const a of r.approvals) if (a.upTo >= stage && !out.includes(a.by.id)) out.push(a.by.id);
  return out;
}

function approve(r: S['Rollout'], who: Who): Step | undefined {
  const last = r.stages.length - 1;
  const mine = r.approvals.find((a) => a.by.id === who.person);
  if (mine && mine.upTo >= last) return undefined;
  const asked = called(r.proposer?.name ?? r.author.name);
  const own = who.person === r.author.id || who.person === r.proposer?.id;
  const open = r.state === 'proposed' ? [] : [`You stand behind stages that are still to open; nothing widens by this alone.`];
  return {
    name: 'approve', label: 'Approve', title: `Approve ${r.product} ${r.build}`, effect: 'plain',
    says: [`${asked} asks for your word. It counts once, for every stage up to the one that you choose.`, ...open],
    confirm: 'Approve', reason: 'optional', reasonHint: 'Why you agree; it stands in the timeline.',
    upTo: { first: Math.max(r.stage, mine ? mine.upTo + 1 : 0), last },
    ...(own ? { barred: 'You wrote or proposed it; somebody else has to approve it.' } : {}),
  };
}

function reject(r: S['Rollout']): Step {
  return {
    name: 'reject', label: 'Reject', title: `Reject ${r.product} ${r.build}`, effect: 'safe',
    says: ['Makes it a draft again. Every approval that it has is gone; its author edits it and asks anew.'],
    confirm: 'Reject', reason: 'required', reasonHint: 'What its author has to change.',
  };
}

function pause(r: S['Rollout']): Step {
  return {
    name: 'pause', label: 'Pause', title: `Pause ${r.product} ${r.build}`, effect: 'safe',
    says: ['Nobody new installs it for the time being. It is still judged, and one person can resume it; its stage then soaks anew.', 'If it does harm, halt it.'],
    confirm: 'Pause', reason: 'required', reasonHint: publicReason,
  };
}

function resumeHeld(r: S['Rollout']): Step {
  return {
    name: 'resume', label: 'Resume', title: `Resume ${r.product} ${r.build}`, effect: 'widen',
    says: [`Opens ${percent(r.sharePPM)} again. Stage ${r.stage + 1} soaks anew from now, for nothing was learnt while it was paused.`],
    confirm: 'Resume', reason: 'required', reasonHint: publicReason, share: r.sharePPM,
  };
}

function resumeHalted(r: S['Rollout']): Step {
  return {
    name: 'resume', label: 'Ask to resume', title: `Ask to resume ${r.product} ${r.build}`, effect: 'plain',
    says: ['Asks a second person to agree that the halt was wrong. Nothing opens before somebody else approves it.', `Then ${percent(r.sharePPM)} is open again, and only votes that come later are judged. If the build is bad, a fix is a new build.`],
    confirm: 'Ask to resume', reason: 'required', reasonHint: 'Why the halt was wrong. ' + publicReason,
  };
}

function approveResume(r: S['Rollout'], who: Who): Step {
  const own = r.resume?.by.id === who.person;
  return {
    name: 'approve', label: 'Approve the resumption', title: `Resume ${r.product} ${r.build} after its halt`, effect: 'widen',
    says: [`${called(r.resume?.by.name ?? 'Somebody')} says that the halt was wrong${r.resume?.reason ? `: “${r.resume.reason}”` : ''}. With your word ${percent(r.sharePPM)} opens again at once; only votes that come from now on are judged.`],
    confirm: 'Resume it', reason: 'optional', reasonHint: publicReason, share: r.sharePPM,
    ...(own ? { barred: 'You asked for it; somebody else has to approve it.' } : {}),
  };
}

function rejectResume(r: S['Rollout']): Step {
  return {
    name: 'reject', label: 'Reject the resumption', title: `Leave ${r.product} ${r.build} halted`, effect: 'safe',
    says: ['Takes the wish to resume it off the table. It stays halted.'],
    confirm: 'Leave it halted', reason: 'required', reasonHint: 'Why it has to stay halted.',
  };
}

function advance(r: S['Rollout'], who: Who): Step {
  const next = r.stages[r.stage + 1];
  const waits = r.outlook?.waits ?? [];
  const ahead = waits.some((w) => w.code === 'undecided');
  const lacking = Math.max(0, (r.missingApprovals ?? 0) - (people(r, r.stage + 1).includes(who.person) ? 0 : 1));
  const stands = waits.find((w) => w.code !== 'undecided' && w.code !== 'manual' && (w.code !== 'approval-needed' || lacking > 0));
  const does = next
    ? `Opens stage ${r.stage + 2} to ${percent(next.sharePPM)} of the audience, at once.`
    : 'Makes the rollout complete: everybody it is for may install it, for as long as it is offered.';
  const says = ahead ? [does, 'This goes ahead of the verdict: the votes so far do not prove that the build is good. Say why you know better.'] : [does];
  if (next && (r.missingApprovals ?? 0) > lacking) says.push('Going on is agreeing: your word for that stage is counted with it.');
  const barred = r.outlook?.outcome === 'halt' ? `The votes speak against it: ${r.outlook.sentence}` : stands?.sentence;
  return {
    name: 'advance', label: next ? 'Advance' : 'Complete', title: `${next ? 'Advance' : 'Complete'} ${r.product} ${r.build}`, effect: 'widen', says,
    confirm: next ? `Open ${percent(next.sharePPM)}` : 'Complete it', reason: ahead ? 'required' : 'optional', reasonHint: publicReason,
    share: next?.sharePPM ?? r.sharePPM, ...(barred ? { barred } : {}),
  };
}

function abandon(r: S['Rollout']): Step {
  return {
    name: 'abandon', label: 'Abandon', title: `Abandon ${r.product} ${r.build}`, effect: 'safe',
    says: ['Gives it up for good. No handset has heard of it; the plan can be used again.'],
    confirm: 'Abandon', reason: 'required', reasonHint: 'Why it is given up.',
  };
}

/** A word in the timeline that changes nothing else. */
export function noteOf(r: { product: string; build: number }): Step {
  return {
    name: 'note', label: 'Note', title: `A note on ${r.product} ${r.build}`, effect: 'plain',
    says: ['Stands in the timeline under your name. Nothing else changes.'],
    confirm: 'Write it down', reason: 'required', reasonHint: 'Colleagues and auditors read it.',
  };
}

// What became of a rollout between two looks at it, in words.
import type { S } from '../api/client';
import { percent } from './plan';
import { called } from '../parts/person';

export interface Difference {
  what: string;
  was: string;
  is: string;
}

/** What differs, as far as it matters to somebody who is about to act. */
export function differences(was: S['Rollout'], is: S['Rollout']): Difference[] {
  const out: Difference[] = [];
  const add = (what: string, a: string, b: string) => {
    if (a !== b) out.push({ what, was: a, is: b });
  };
  const people = (r: S['Rollout']) => r.approvals.map((a) => `${called(a.by.name)} up to stage ${a.upTo + 1}`).join(', ') || 'nobody';
  add('State', was.state, is.state);
  add('Stage', `${was.stage + 1} of ${was.stages.length}`, `${is.stage + 1} of ${is.stages.length}`);
  add('Open', percent(was.sharePPM), percent(is.sharePPM));
  add('Approved by', people(was), people(is));
  add('Author', called(was.author.name), called(is.author.name));
  add('Asked to resume', called(was.resume?.by.name ?? 'nobody'), called(is.resume?.by.name ?? 'nobody'));
  add('Reason', was.reason ?? 'none', is.reason ?? 'none');
  if (JSON.stringify(was.plan) !== JSON.stringify(is.plan)) add('Plan', 'as you saw it', 'edited since');
  return out;
}

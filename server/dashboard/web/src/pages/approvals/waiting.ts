// Which rollouts wait for a person's word, as far as a list of them tells.
import type { S } from '../../api/client';

export interface Waiting {
  rollout: S['Rollout'];
  /** resume: after a halt. stages: the plan's, from the first that is not open. */
  what: 'stages' | 'resume';
  asked: string;
  /** Why this person's word does not count; absent: it does. */
  barred?: string;
  /** Their word is in; others are waited for. */
  given?: boolean;
}

/** The rollouts that ask people for their word, those that this one may give first. */
export function waitingFor(list: S['Rollout'][], person: string, missing: Set<string>): Waiting[] {
  const out: Waiting[] = [];
  for (const r of list) {
    if (r.state === 'halted' && r.resume) {
      out.push({ rollout: r, what: 'resume', asked: r.resume.by.name, ...(r.resume.by.id === person ? { barred: 'You asked for it; somebody else has to approve it.' } : {}) });
    } else if (r.state === 'proposed' || (['approved', 'scheduled', 'active', 'held'].includes(r.state) && missing.has(r.id))) {
      const own = r.author.id === person || r.proposer?.id === person;
      const mine = r.approvals.find((a) => a.by.id === person);
      const given = mine !== undefined && mine.upTo > (r.state === 'proposed' ? -1 : r.stage);
      out.push({
        rollout: r, what: 'stages', asked: r.proposer?.name ?? r.author.name,
        ...(own ? { barred: 'You wrote or proposed it; somebody else has to approve it.' } : {}), ...(given ? { given: true } : {}),
      });
    }
  }
  return out.sort((a, b) => rank(a) - rank(b) || a.rollout.changed.localeCompare(b.rollout.changed));
}

const rank = (w: Waiting) => (w.barred ? 2 : w.given ? 1 : 0);

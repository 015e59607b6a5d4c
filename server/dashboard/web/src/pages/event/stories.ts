import { event, hostile } from '../../actions/made/rollouts';
import type { S } from '../../api/client';
import { admin } from '../../stories/fake';
import { refuse, type Story } from '../../stories/story';

const open = event('open', { remarks: [{ by: 'Bo Andersson', at: '2026-11-21T08:00:00Z', text: 'Is the note in Portuguese meant to be that short?', reject: false }] });
const path = `/events/${open.id}`;
const api = `/v1${path}`;

const story = (name: string, e: S['Event'], more: Partial<Story> = {}): Story => ({ name, path, answers: { [`GET ${api}`]: e }, ...more });
const publish = (page: HTMLElement) => page.querySelector<HTMLElement>('.publish button')?.click();

export const stories: Story[] = [
  story('open', open),
  story('complete', event('complete')),
  story('publishing', event('complete'), { act: publish }),
  story('stale', event('complete'), {
    answers: { [`GET ${api}`]: event('complete'), [`POST ${api}/publish`]: refuse(412, 'stale', 'somebody signed or said something since you looked; it is version 4 now') },
    act: async (page) => {
      publish(page);
      await new Promise((done) => setTimeout(done, 50));
      page.querySelector<HTMLElement>('dialog[open] button[type=submit]')?.click();
    },
  }),
  story('published', event('published')),
  story('rejected', event('rejected', { rejections: [{ holder: 'Emil Zhou', at: '2026-11-21T09:00:00Z', reason: 'The privacy label does not name the crash reports.', takenBack: false }] })),
  story('superseded', event('superseded')),
  story('expired', event('expired')),
  story('root', event('open', { kind: 'root-people', product: undefined, build: undefined, roles: [{ role: 'root', version: 3, threshold: 2, complete: false, signed: ['Alice Chen'], waiting: ['Bob Wu', 'Carol Lin'] }, { role: 'targets', version: 5, threshold: 2, complete: false, signed: ['Alice Chen'], waiting: ['Bob Wu', 'Carol Lin'] }], statements: [{ holder: 'Alice Chen', at: '2026-11-20T08:00:00Z' }] })),
  story('viewer', open, { caller: { ...admin, grants: [{ role: 'viewer', products: [] }], permissions: ['read'] } }),
  story('not there', open, { answers: { [`GET ${api}`]: refuse(404, 'not-found', 'there is no such thing') } }),
  story('hostile', event('open', { openedBy: hostile, remarks: [{ by: hostile, at: '2026-11-21T08:00:00Z', text: hostile + '\n'.repeat(20) + hostile, reject: true }], rejections: [{ holder: hostile, at: '2026-11-21T08:00:00Z', reason: hostile, takenBack: true }], roles: [{ role: 'releases-phone', version: 1, threshold: 2, complete: false, signed: [hostile], waiting: ['x'.repeat(256)] }] })),
];

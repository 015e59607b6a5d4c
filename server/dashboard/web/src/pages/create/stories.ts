import { plan, releases, rollout } from '../../actions/made/rollouts';
import type { S } from '../../api/client';
import { refuse, type Answer, type Story } from '../../stories/story';

const preview: S['Preview'] = {
  optInPPM: 120_000, optInSource: 'seen', badBuildPPM: 30_000, harmed: 212.4, harmedAtMost: 360, earliestFinish: '2026-11-27T12:00:00Z',
  warnings: ['stage 1 is 12000 handsets, of which about 1440 report; the test needs 149 without a failure'],
  sentence: '4 stages; the first opens to 12000 of 1200000 handsets; all are reached by 2026-11-27T12:00:00Z at the earliest; a build that fails on 3 % of the handsets harms about 212 of them, 360 at most, before it is halted',
  stages: plan.stages.map((s, i) => ({
    sharePPM: s.sharePPM, handsets: s.sharePPM * 1.2, earliest: new Date(Date.parse('2026-11-21T12:00:00Z') + [0, 1, 3, 5][i]! * 86_400_000).toISOString(), waitsForPace: i === 2,
    votes: Math.round(s.sharePPM * 0.144), votesToPass: i === 0 ? 1_490 : 149, handsetsToPass: 12_417, decides: i !== 0, approvals: [1, 1, 2, 2][i]!, haltedChance: [0.62, 0.97, 0.9999, 1][i]!,
  })),
};
const sampled: S['Preview'] = { ...preview, stages: preview.stages.map((s, i) => ({ ...s, sampleCode: i ? 'offer' : 'share', sample: i ? 'build 43 is for this handset' : 'it is not this handset’s turn yet: 1 % of the fleet is offered it, and it stands at 4 %' })) };

const detail = {
  release: releases[2]!, privacy: [], signatures: [], rollouts: [],
  document: { version: '8.1.0', compatible: { models: ['mi-3', 'redmi-1s'] }, urgency: { maxKind: 'normal', minDeferral: '3d' }, offerUntil: '2027-02-18T00:00:00Z', pace: [{ after: '0s', maxSharePPM: 10_000 }, { after: '1d', maxSharePPM: 200_000 }, { after: '5d', maxSharePPM: 1_000_000 }] },
};
const base: Record<string, Answer> = {
  'GET /v1/products': { products: ['phone', 'tablet'] }, 'GET /v1/products/phone/releases': { releases }, 'GET /v1/products/phone/releases/43': detail,
  'GET /v1/rollouts': { rollouts: [] }, 'POST /v1/rollouts/preview': preview,
};
const draft: Record<string, Answer> = { ...base, 'GET /v1/rollouts/43-h3k7wq2m': rollout('draft') };
const edit = '/rollouts/new?edit=43-h3k7wq2m';
const fresh = () => sessionStorage.clear();
const wait = () => new Promise((done) => setTimeout(done, 700));

function fill(page: HTMLElement, name: string, value: string) {
  const field = page.querySelector<HTMLInputElement>(`[name="${name}"]`)!;
  field.value = value;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  field.dispatchEvent(new FocusEvent('focusout', { bubbles: true }));
}

export const stories: Story[] = [
  { name: 'new', path: '/rollouts/new', answers: base, act: fresh },
  { name: 'filled', path: edit, answers: draft, act: async () => { fresh(); await wait(); } },
  { name: 'rescue', path: '/rollouts/new?rescue=43-h3k7wq2m&build=44', answers: { ...base, 'GET /v1/rollouts/43-h3k7wq2m': rollout('halted'), 'GET /v1/rollouts/43-h3k7wq2m/rescue': { ...plan, build: 44, rescues: '43-h3k7wq2m', audience: { fromBuilds: { min: 43, max: 43 } } }, 'GET /v1/products/phone/releases/44': detail }, act: async () => { fresh(); await wait(); } },
  { name: 'refused', path: edit, answers: { ...draft, 'POST /v1/rollouts/preview': refused('deferral', 'field "deferral": 1d is shorter than 3d, which the release promises to owners') }, act: async () => { fresh(); await wait(); } },
  { name: 'mistakes', path: edit, answers: draft, act: async (page) => { fresh(); fill(page, 'stages[1].sharePPM', 'half'); fill(page, 'stages[2].soak', ''); fill(page, 'channel', ''); page.querySelector<HTMLElement>('button[type=submit]')?.click(); await wait(); } },
  { name: 'planner', path: edit, answers: { ...draft, 'POST /v1/rollouts/stages': { stages: plan.stages, sentence: '4 stages keep a bad build from harming more than 200 of 1200000 handsets, if 12 % of the owners report; 4 d 0 h of soak at least' } }, act: async (page) => { fresh(); page.querySelector<HTMLElement>('.tools button')?.click(); await wait(); page.querySelector<HTMLElement>('.planner button')?.click(); await wait(); } },
  { name: 'a handset', path: edit, answers: { ...draft, 'POST /v1/rollouts/preview': sampled }, act: async (page) => { fresh(); const d = [...page.querySelectorAll('details')].at(-1); if (d) d.open = true; await wait(); } },
  { name: 'stale', path: edit, answers: { 'PUT /v1/rollouts/43-h3k7wq2m': refuse(412, 'stale', 'the rollout is at version 8, not 7; look again'), ...draft }, act: async (page) => { fresh(); await wait(); page.querySelector<HTMLElement>('button[type=submit]')?.click(); await wait(); } },
  { name: 'nothing signed', path: '/rollouts/new?product=phone', answers: { ...base, 'GET /v1/products/phone/releases': { releases: [] } }, act: async () => { fresh(); await wait(); } },
  { name: 'no such rollout', path: '/rollouts/new?from=1-x&build=3', answers: base },
];

function refused(field: string, detail: string): Answer {
  const r = refuse(400, 'bad-request', detail);
  return Object.assign(r, { body: { ...(r.body as object), field } }) as Answer;
}

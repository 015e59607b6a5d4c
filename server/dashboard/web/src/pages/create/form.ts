// The plan as people fill it in: texts, kept as they were typed, and the way
// from them to the plan and back. A field that cannot be read is a mistake
// here; what a plan may say is judged by the server.
import type { Guard, Kind, Plan, PlanStage } from '../../actions/plan';

export interface StageForm {
  /** Percent of the audience. */
  share: string;
  soak: string;
  minVotes: string;
  approvals: string;
  /** Percent of failures to be ruled out; empty is the guard's. */
  pass: string;
}

export interface Form {
  product: string;
  build: string;
  channel: string;
  models: string;
  regions: string;
  fromMin: string;
  fromMax: string;
  lab: string;
  stages: StageForm[];
  kind: Kind;
  deadline: string;
  deferral: string;
  windowed: boolean;
  from: string;
  to: string;
  spread: string;
  scheduled: boolean;
  start: string;
  manual: boolean;
  guard: Record<GuardRate, string>;
  grace: string;
  reportOnly: string[];
  reasons: Record<string, number>;
  budgeted: boolean;
  maxHarmed: string;
  fleet: string;
  rescues: string;
}

export type GuardRate = 'failuresPPM' | 'silencePPM' | 'regressionsPPM' | 'refusalsPPM' | 'unheardPPM' | 'newReasonPPM';

/** The limits of a guard: what each watches, and what holds where it is left empty. */
export const rates: { name: GuardRate; label: string; hint: string; normal: string }[] = [
  { name: 'failuresPPM', label: 'Failures', hint: 'Trials that fell back to the build before. Beyond it, it halts.', normal: '2' },
  { name: 'silencePPM', label: 'Silence', hint: 'Attempts that nothing was heard of again: suspected bricks. Beyond it, it halts.', normal: '1' },
  { name: 'regressionsPPM', label: 'Later failures', hint: 'Handsets that failed after they were healthy. Beyond it, it halts.', normal: 'as failures' },
  { name: 'newReasonPPM', label: 'A new reason', hint: 'Failures for one reason that the release before did not have. Beyond it, it halts.', normal: 'as failures' },
  { name: 'refusalsPPM', label: 'Not tried', hint: 'Installations that did not come about. Holds, never halts.', normal: '10' },
  { name: 'unheardPPM', label: 'Unheard', hint: 'Handsets that took a token and never voted. Holds, never halts.', normal: '50' },
];

/** The rules that may be told to report only. */
export const rules = ['lab', 'failures', 'reason', 'new-reason', 'regressions', 'silence', 'refusals', 'unheard'];

/** An empty form. */
export function empty(): Form {
  return {
    product: '', build: '', channel: 'stable', models: '', regions: '', fromMin: '', fromMax: '', lab: '',
    stages: preset('careful'), kind: 'normal', deadline: '', deferral: '7d', windowed: true, from: '02:00', to: '05:00', spread: '30m',
    scheduled: false, start: '', manual: false,
    guard: { failuresPPM: '', silencePPM: '', regressionsPPM: '', refusalsPPM: '', unheardPPM: '', newReasonPPM: '' }, grace: '', reportOnly: [], reasons: {},
    budgeted: false, maxHarmed: '', fleet: '', rescues: '',
  };
}

const presets = {
  careful: [['0.5', '2d'], ['5', '2d'], ['25', '2d'], ['100', '1d']],
  usual: [['1', '1d'], ['10', '2d'], ['50', '2d'], ['100', '1d']],
  urgent: [['1', '2h'], ['20', '6h'], ['100', '12h']],
  everybody: [['100', '1d']],
} as const;

export type Preset = keyof typeof presets;

/** The presets, with what each is for. */
export const presetNames: { name: Preset; label: string }[] = [
  { name: 'careful', label: 'Careful: 0.5, 5, 25, 100 %' },
  { name: 'usual', label: 'Usual: 1, 10, 50, 100 %' },
  { name: 'urgent', label: 'Urgent: 1, 20, 100 % within a day' },
  { name: 'everybody', label: 'One stage: 100 %' },
];

export function preset(name: Preset): StageForm[] {
  return presets[name].map(([share, soak]) => ({ share, soak, minVotes: '', approvals: '', pass: '' }));
}

/** A mistake of the form: the field as the plan calls it, and what is wrong. */
export type Mistakes = Record<string, string>;

/** Percent to parts per million, exactly; undefined if it is no percentage. */
export function ppm(text: string): number | undefined {
  const t = text.trim().replace(',', '.').replace(/\s*%$/, '');
  if (!/^[0-9]{1,3}(\.[0-9]{1,4})?$/.test(t)) return undefined;
  return Math.round(Number(t) * 10_000);
}

/** Parts per million as people write percent. */
export function percentText(n: number | undefined): string {
  return n === undefined || n === 0 ? '' : String(Number((n / 10_000).toFixed(4)));
}

/** The plan that the form says, and what cannot be read. Only a plan without mistakes is worth asking the server about. */
export function planOf(f: Form): { plan: Plan; mistakes: Mistakes } {
  const mistakes: Mistakes = {};
  const whole = (field: string, text: string, least = 0): number | undefined => {
    if (text.trim() === '') return undefined;
    const n = Number(text.replaceAll(/[\s,_]/g, ''));
    if (!Number.isSafeInteger(n) || n < least) mistakes[field] = `Give a whole number from ${least} up.`;
    return n;
  };
  const rate = (field: string, text: string): number | undefined => {
    if (text.trim() === '') return undefined;
    const n = ppm(text);
    if (n === undefined || n === 0) mistakes[field] = 'Give a percentage above 0, such as 2 or 0.5.';
    return n;
  };
  const plan: Plan = {
    product: f.product, build: whole('build', f.build, 1) ?? 0, channel: f.channel.trim(),
    stages: f.stages.map((s, i) => stageOf(s, i, mistakes, whole, rate)), kind: f.kind, deferral: f.deferral.trim(), spread: f.spread.trim(),
  };
  if (!f.product) mistakes['product'] = 'Choose a product.';
  if (!f.build) mistakes['build'] = 'Choose a signed release.';
  if (!plan.channel) mistakes['channel'] = 'Name the channel, such as stable.';
  if (f.stages.length === 0) mistakes['stages'] = 'A plan has at least one stage.';
  for (const field of ['deferral', 'spread'] as const) if (!plan[field]) mistakes[field] = 'Give a whole number and one unit of s, m, h, d.';
  audience(f, plan, whole);
  if (f.deadline) plan.deadline = moment('deadline', f.deadline, mistakes);
  if (f.windowed) plan.window = { from: f.from, to: f.to };
  if (f.scheduled) plan.start = f.start ? moment('start', f.start, mistakes) : ((mistakes['start'] = 'Say when it starts.'), undefined);
  if (f.manual) plan.advance = 'manual';
  guardOf(f, plan, rate);
  if (f.budgeted) plan.budget = { maxHarmed: whole('budget.maxHarmed', f.maxHarmed, 1) ?? 0, fleet: whole('budget.fleet', f.fleet, 1) ?? 0 };
  if (f.budgeted && !plan.budget?.maxHarmed) mistakes['budget.maxHarmed'] ??= 'Say how many handsets a bad build may harm.';
  if (f.budgeted && !plan.budget?.fleet) mistakes['fleet'] ??= 'A budget needs the size of the fleet.';
  if (f.rescues) plan.rescues = f.rescues;
  for (const k of Object.keys(plan) as (keyof Plan)[]) if (plan[k] === undefined) delete plan[k];
  return { plan, mistakes };
}

type Reader = (field: string, text: string, least?: number) => number | undefined;

function stageOf(s: StageForm, i: number, mistakes: Mistakes, whole: Reader, rate: Reader): PlanStage {
  const at = `stages[${i}]`;
  const share = ppm(s.share);
  if (share === undefined || share === 0) mistakes[`${at}.sharePPM`] = 'Give a percentage above 0, such as 1 or 0.05.';
  if (!s.soak.trim()) mistakes[`${at}.soak`] = 'Give a whole number and one unit of s, m, h, d.';
  const out: PlanStage = { sharePPM: share ?? 0, soak: s.soak.trim() };
  const [votes, people, pass] = [whole(`${at}.minVotes`, s.minVotes), whole(`${at}.approvals`, s.approvals), rate(`${at}.passPPM`, s.pass)];
  if (votes) out.minVotes = votes;
  if (people) out.approvals = people;
  if (pass) out.passPPM = pass;
  return out;
}

/** Names in a text, apart by commas, spaces or lines. */
export function names(text: string): string[] {
  return text.split(/[\s,;]+/).filter((n) => n !== '');
}

function audience(f: Form, plan: Plan, whole: Reader) {
  const a: NonNullable<Plan['audience']> = {};
  if (names(f.models).length) a.models = names(f.models);
  if (names(f.regions).length) a.regions = names(f.regions);
  if (names(f.lab).length) a.lab = names(f.lab);
  const [min, max] = [whole('audience.fromBuilds.min', f.fromMin), whole('audience.fromBuilds.max', f.fromMax)];
  if (min !== undefined || max !== undefined) a.fromBuilds = { min: min ?? 0, max: max ?? Math.max(0, plan.build - 1) };
  if (Object.keys(a).length) plan.audience = a;
}

function guardOf(f: Form, plan: Plan, rate: Reader) {
  const g: Guard = {};
  for (const r of rates) {
    const n = rate(`guard.${r.name}`, f.guard[r.name]);
    if (n !== undefined) g[r.name] = n;
  }
  if (Object.keys(f.reasons).length) g.reasonsPPM = f.reasons;
  if (f.grace.trim()) g.grace = f.grace.trim();
  if (f.reportOnly.length) g.reportOnly = f.reportOnly;
  if (Object.keys(g).length) plan.guard = g;
}

// A moment of a field of type datetime-local, in the viewer's zone, as plans
// have it: whole seconds, UTC.
function moment(field: string, local: string, mistakes: Mistakes): string | undefined {
  const at = new Date(local);
  if (Number.isNaN(at.getTime())) {
    mistakes[field] = 'This is not a date and a time.';
    return undefined;
  }
  return at.toISOString().replace(/\.\d+Z$/, 'Z');
}

/** A moment of a plan as a field of type datetime-local wants it. */
export function localOf(utc: string | undefined): string {
  const at = new Date(utc ?? NaN);
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The form of a plan. The plan is as a server gave it, or as somebody wrote it. */
export function formOf(p: Partial<Plan>): Form {
  const f = empty();
  const text = (v: unknown): string => (v === undefined || v === null || v === 0 ? '' : String(v));
  return {
    ...f, product: text(p.product), build: text(p.build), channel: text(p.channel) || f.channel,
    models: (p.audience?.models ?? []).join(', '), regions: (p.audience?.regions ?? []).join(', '), lab: (p.audience?.lab ?? []).join('\n'),
    fromMin: p.audience?.fromBuilds ? String(p.audience.fromBuilds.min) : '', fromMax: p.audience?.fromBuilds ? String(p.audience.fromBuilds.max) : '',
    stages: (p.stages ?? []).map((s) => ({ share: percentText(s.sharePPM), soak: text(s.soak), minVotes: text(s.minVotes), approvals: text(s.approvals), pass: percentText(s.passPPM) })),
    kind: p.kind ?? 'normal', deadline: localOf(p.deadline), deferral: text(p.deferral) || f.deferral, spread: text(p.spread) || f.spread,
    windowed: p.window !== undefined, from: p.window?.from ?? f.from, to: p.window?.to ?? f.to,
    scheduled: p.start !== undefined, start: localOf(p.start), manual: p.advance === 'manual',
    guard: Object.fromEntries(rates.map((r) => [r.name, percentText(p.guard?.[r.name])])) as Form['guard'],
    grace: p.guard?.grace === '0s' ? '' : text(p.guard?.grace), reportOnly: p.guard?.reportOnly ?? [], reasons: p.guard?.reasonsPPM ?? {},
    budgeted: p.budget !== undefined, maxHarmed: text(p.budget?.maxHarmed), fleet: text(p.budget?.fleet), rescues: text(p.rescues),
  };
}

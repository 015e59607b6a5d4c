// A plan that somebody pastes or opens as a file. Its shape is looked at before
// it becomes a form, so that a wrong file is told apart from a mistake in one.
import type { Plan } from '../../actions/plan';
import { read } from './yaml';

const known = ['product', 'build', 'channel', 'audience', 'stages', 'kind', 'deadline', 'deferral', 'window', 'spread', 'start', 'advance', 'guard', 'budget', 'rescues'];
const mostStages = 1000;

/** The plan in a text, or an Error with words for whoever gave it. */
export function planIn(text: string): Partial<Plan> {
  const value = read(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('This is no plan: a plan is a map that begins with product, build, channel.');
  const fields = value as Record<string, unknown>;
  if ('format' in fields || 'base' in fields) throw new Error('This is a proposal for signers, not a plan. Hand it in under “Submit”.');
  if ('spec' in fields || 'images' in fields) throw new Error('This is a release, not a plan. A plan says how a signed release is rolled out.');
  const strange = Object.keys(fields).filter((k) => !known.includes(k));
  if (strange.length) throw new Error(`A plan has no field “${strange[0]!.slice(0, 40)}”.`);
  check(fields, ['product', 'channel', 'kind', 'deferral', 'spread', 'deadline', 'start', 'advance', 'rescues'], 'string', 'a text');
  check(fields, ['build'], 'number', 'a whole number');
  check(fields, ['audience', 'window', 'guard', 'budget'], 'object', 'a map');
  if (!Array.isArray(fields['stages']) || fields['stages'].length === 0) throw new Error('“stages” is to be a list with at least one stage.');
  if (fields['stages'].length > mostStages) throw new Error(`“stages” has ${fields['stages'].length} entries; at most ${mostStages} are allowed.`);
  for (const s of fields['stages'] as unknown[]) if (typeof s !== 'object' || s === null || Array.isArray(s)) throw new Error('Each of “stages” is a map such as {sharePPM: 10000, soak: 1d}.');
  lists(fields['audience'], ['models', 'regions', 'lab'], 'audience');
  lists(fields['guard'], ['reportOnly'], 'guard');
  if (fields['kind'] !== undefined && !['optional', 'normal', 'critical'].includes(fields['kind'] as string)) throw new Error('“kind” is optional, normal or critical.');
  return fields as Partial<Plan>;
}

function check(fields: Record<string, unknown>, names: string[], type: string, words: string) {
  for (const n of names) {
    const v = fields[n];
    if (v !== undefined && (typeof v !== type || Array.isArray(v) || v === null)) throw new Error(`“${n}” is to be ${words}.`);
  }
}

function lists(map: unknown, names: string[], of: string) {
  for (const n of names) {
    const v = (map as Record<string, unknown> | undefined)?.[n];
    if (v !== undefined && !(Array.isArray(v) && v.every((x) => typeof x === 'string'))) throw new Error(`“${of}.${n}” is to be a list of texts.`);
  }
}

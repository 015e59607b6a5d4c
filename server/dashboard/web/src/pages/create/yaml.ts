// rollout.yaml, written and read. What is read is the part of YAML in which
// plans are written: maps, lists, plain and quoted scalars, comments, and JSON.
// The server's own parser has the last word on what the fields mean.
import type { Plan } from '../../actions/plan';
import { deepest, scalar, YamlError, type Value } from './flow';

export { YamlError };

/** The largest file that is read, as the server has it, in bytes. */
export const maxBytes = 128 << 10;

interface Line {
  number: number;
  indent: number;
  text: string;
}

const order = ['product', 'build', 'channel', 'audience', 'stages', 'kind', 'deadline', 'deferral', 'window', 'spread', 'start', 'advance', 'guard', 'budget', 'rescues'];

/** The plan as rollout.yaml, in the order in which people read it. */
export function write(plan: Plan): string {
  const lines: string[] = [];
  const fields = plan as unknown as Record<string, Value | undefined>;
  for (const name of [...order, ...Object.keys(fields).filter((n) => !order.includes(n))]) {
    const value = fields[name];
    if (value === undefined || value === null || (isMap(value) && Object.keys(value).length === 0)) continue;
    if (name === 'stages' && Array.isArray(value)) lines.push('stages:', ...value.map((s) => `  - ${flow(s)}`));
    else if (isMap(value) && name !== 'window' && name !== 'budget') lines.push(`${name}:`, ...Object.entries(value).map(([k, v]) => `  ${k}: ${flow(v)}`));
    else lines.push(`${name}: ${flow(value)}`);
  }
  return lines.join('\n') + '\n';
}

function isMap(v: Value | undefined): v is { [name: string]: Value } {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

function flow(v: Value): string {
  if (Array.isArray(v)) return `[${v.map(flow).join(', ')}]`;
  if (isMap(v)) return `{${Object.entries(v).filter(([, x]) => x !== undefined).map(([k, x]) => `${k}: ${flow(x)}`).join(', ')}}`;
  if (typeof v !== 'string') return String(v);
  return /^[A-Za-z][A-Za-z0-9._/-]*$|^[0-9]+[smhd]$/.test(v) && !/^(?:true|false|null|yes|no|on|off|y|n|~)$/i.test(v) && !/^[0-9]+[.]?[0-9]*e?[0-9]+$/i.test(v) ? v : JSON.stringify(v);
}

/** Reads a plan, or throws a YamlError. What is in it is not judged. */
export function read(text: string): Value {
  if (new TextEncoder().encode(text).length > maxBytes) throw new YamlError(1, `the file is larger than ${maxBytes >> 10} KiB, the most that a plan may be`);
  const trimmed = text.trimStart();
  if (trimmed.startsWith('{')) {
    try {
      return JSON.parse(text) as Value;
    } catch {
      // It may still be a flow map of YAML.
    }
  }
  const lines = split(text);
  if (lines.length === 0) throw new YamlError(1, 'there is nothing in it');
  if (lines.length === 1 && trimmed.startsWith('{')) return scalar(lines[0]!.text, lines[0]!.number);
  const [value, next] = block(lines, 0, lines[0]!.indent, 0);
  if (next < lines.length) throw new YamlError(lines[next]!.number, 'it is indented in another way than the lines before');
  return value;
}

function split(text: string): Line[] {
  const out: Line[] = [];
  for (const [i, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const number = i + 1;
    const line = uncommented(raw).trimEnd();
    const indent = line.length - line.trimStart().length;
    if (line.slice(0, indent).includes('\t')) throw new YamlError(number, 'a tab indents it; YAML wants spaces');
    const rest = line.trimStart();
    if (rest === '' || (rest === '---' && out.length === 0)) continue;
    if (rest === '---' || rest === '...') throw new YamlError(number, 'a second document begins; give one plan');
    out.push({ number, indent, text: rest });
  }
  return out;
}

// A comment begins with # at the beginning or after a space, outside quotes.
function uncommented(line: string): string {
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (quote) {
      if (c === '\\' && quote === '"') i++;
      else if (c === quote) quote = '';
    } else if ((c === '"' || c === "'") && (i === 0 || /[\s[{,:]/.test(line[i - 1]!))) quote = c;
    else if (c === '#' && (i === 0 || /\s/.test(line[i - 1]!))) return line.slice(0, i);
  }
  return line;
}

function block(lines: Line[], from: number, indent: number, depth: number): [Value, number] {
  if (depth > deepest) throw new YamlError(lines[from]!.number, 'it is nested too deeply for a plan');
  return lines[from]!.text.startsWith('- ') || lines[from]!.text === '-' ? list(lines, from, indent, depth) : map(lines, from, indent, depth);
}

function list(lines: Line[], from: number, indent: number, depth: number): [Value, number] {
  const out: Value[] = [];
  let i = from;
  while (i < lines.length && lines[i]!.indent === indent && (lines[i]!.text.startsWith('- ') || lines[i]!.text === '-')) {
    const line = lines[i]!;
    const rest = line.text.slice(1).trimStart();
    if (rest !== '' && !/^["'[{]/.test(rest) && /^[^\s:]+:(\s|$)/.test(rest)) {
      const inner = indent + line.text.length - rest.length; // a map that begins beside the dash
      lines[i] = { ...line, indent: inner, text: rest };
      const [value, next] = map(lines, i, inner, depth + 1);
      out.push(value);
      i = next;
    } else if (rest === '' && lines[i + 1] && lines[i + 1]!.indent > indent) {
      const [value, next] = block(lines, i + 1, lines[i + 1]!.indent, depth + 1);
      out.push(value);
      i = next;
    } else {
      out.push(scalar(rest, line.number));
      i++;
    }
  }
  return [out, i];
}

function map(lines: Line[], from: number, indent: number, depth: number): [Value, number] {
  const out: { [name: string]: Value } = Object.create(null) as { [name: string]: Value };
  let i = from;
  while (i < lines.length && lines[i]!.indent === indent) {
    const line = lines[i]!;
    const m = /^(?:"([^"\\]*)"|'([^']*)'|([^\s"'[\]{},:#][^\s:]*))\s*:(?:\s+(.*)|$)/.exec(line.text);
    if (!m) throw new YamlError(line.number, `“${line.text.slice(0, 60)}” is not “name: value”`);
    const name = m[1] ?? m[2] ?? m[3]!;
    if (name in out) throw new YamlError(line.number, `“${name}” is given twice`);
    const rest = (m[4] ?? '').trim();
    const below = lines[i + 1];
    if (rest !== '') {
      out[name] = scalar(rest, line.number);
      i++;
    } else if (below && (below.indent > indent || (below.indent === indent && below.text.startsWith('- ')))) {
      const [value, next] = block(lines, i + 1, below.indent, depth + 1);
      out[name] = value;
      i = next;
    } else {
      throw new YamlError(line.number, `“${name}” has no value`);
    }
  }
  return [out, i];
}

// Values of YAML that stand on one line: scalars, and lists and maps in
// brackets.

/** Why a text is not read, with the line that it is about, from 1. */
export class YamlError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(`Line ${line}: ${message}`);
    this.line = line;
  }
}

export type Value = string | number | boolean | null | Value[] | { [name: string]: Value };

/** How deeply values may be nested: plans need four. */
export const deepest = 16;

/** A value on one line. */
export function scalar(text: string, line: number): Value {
  const r = new Flow(text, line);
  const value = r.value(0);
  r.end();
  return value;
}

class Flow {
  #at = 0;
  readonly text: string;
  readonly line: number;

  constructor(text: string, line: number) {
    this.text = text;
    this.line = line;
  }

  #fail(message: string): never {
    throw new YamlError(this.line, message);
  }

  #space() {
    while (this.text[this.#at] === ' ') this.#at++;
  }

  end() {
    this.#space();
    if (this.#at < this.text.length) this.#fail(`“${this.text.slice(this.#at, this.#at + 40)}” is left over; a list or map in brackets has to end on its line`);
  }

  value(depth: number): Value {
    if (depth > deepest) this.#fail('it is nested too deeply for a plan');
    this.#space();
    const c = this.text[this.#at];
    if (c === '[') return this.#list(depth);
    if (c === '{') return this.#map(depth);
    if (c === '"' || c === "'") return this.#quoted(c);
    if (c !== undefined && '&*!|>%@`'.includes(c)) this.#fail(`“${c}” begins something that plans do not use (anchors, tags, texts of several lines); put quotes around it`);
    return this.#plain(depth > 0);
  }

  #list(depth: number): Value {
    const out: Value[] = [];
    this.#at++;
    for (;;) {
      this.#space();
      if (this.text[this.#at] === ']') break;
      out.push(this.value(depth + 1));
      this.#next(']');
    }
    this.#at++;
    return out;
  }

  #map(depth: number): Value {
    const out = Object.create(null) as { [name: string]: Value };
    this.#at++;
    for (;;) {
      this.#space();
      if (this.text[this.#at] === '}') break;
      const c = this.text[this.#at];
      const name = c === '"' || c === "'" ? this.#quoted(c) : this.#until(/[:,{}[\]]/).trim();
      this.#space();
      if (name === '' || this.text[this.#at] !== ':') this.#fail('in a map in braces every entry is “name: value”');
      if (name in out) this.#fail(`“${name}” is given twice`);
      this.#at++;
      out[name] = this.value(depth + 1);
      this.#next('}');
    }
    this.#at++;
    return out;
  }

  #next(close: string) {
    this.#space();
    const c = this.text[this.#at];
    if (c === ',') this.#at++;
    else if (c !== close) this.#fail(`“${close}” is missing; lists and maps in brackets end on the line where they begin`);
  }

  #until(stop: RegExp): string {
    const from = this.#at;
    while (this.#at < this.text.length && !stop.test(this.text[this.#at]!)) this.#at++;
    return this.text.slice(from, this.#at);
  }

  #quoted(quote: string): string {
    const from = this.#at++;
    for (; this.#at < this.text.length; this.#at++) {
      const c = this.text[this.#at];
      if (quote === '"' && c === '\\') this.#at++;
      else if (c === quote && quote === "'" && this.text[this.#at + 1] === "'") this.#at++;
      else if (c === quote) {
        const raw = this.text.slice(from, ++this.#at);
        if (quote === "'") return raw.slice(1, -1).replaceAll("''", "'");
        try {
          return JSON.parse(raw) as string;
        } catch {
          this.#fail(`${raw} has an escape that JSON does not have`);
        }
      }
    }
    this.#fail('a quote has no end on its line');
  }

  #plain(inside: boolean): Value {
    const text = (inside ? this.#until(/[,[\]{}]/) : this.#until(/$^/)).trim();
    if (text === '' || text === '~' || text === 'null') this.#fail('there is no value; leave the field out instead');
    if (text === 'true' || text === 'false') return text === 'true';
    if (/^-?(?:0|[1-9][0-9]{0,15})$/.test(text)) return Number(text);
    return text;
  }
}

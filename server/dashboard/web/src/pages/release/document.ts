// The signed document as manifests.Release has it: what this page reads of it.
// It was verified before it was published; fields that are not there are absent.

/** One text in several languages; there is always English. */
export type Text = Record<string, string>;

export interface Blob {
  sha256: string;
  size: number;
}

export interface Patch {
  fromSha256: string;
  table: Blob;
  bodySize: number;
}

export interface Image {
  slot: string;
  size: number;
  sha256: string;
  index: Blob;
  pack: Blob;
  patches?: Patch[];
}

export interface Document {
  securityEpoch: number;
  compatible: { models: string[]; minBuild?: number };
  images: Image[];
  notBefore: string;
  offerUntil: string;
  supportUntil: string;
  pace: { after: string; maxSharePPM: number }[];
  urgency: { maxKind: string; minDeferral: string; earliestDeadline?: string };
  risk: string;
  fixes: Text;
  notes: Text;
  privacy: { change?: Text };
  consent: { required: boolean; notice?: Text };
  offline?: boolean;
  labAhead?: boolean;
  rollback?: { contents: number; from: number[] };
  votes: { minToHalt: number; primary?: object };
  provenance?: Blob;
  sbom?: Blob & { format?: string };
}

/** What a handset downloads without a patch: the index and the pack. */
export const full = (m: Image) => m.index.size + m.pack.size;

/** What it downloads by a patch. */
export const byPatch = (p: Patch) => p.table.size + p.bodySize;

/** The languages of some texts, English first. */
export function languages(...texts: (Text | undefined)[]): string[] {
  const all = new Set(texts.flatMap((t) => Object.keys(t ?? {})));
  return [...all].sort((a, b) => Number(b === 'en') - Number(a === 'en') || a.localeCompare(b));
}

/** A text in a language, as handsets choose it: the language, its base, English. */
export function inLanguage(text: Text | undefined, language: string): string {
  for (let l = language; l !== ''; l = l.includes('-') ? l.slice(0, l.lastIndexOf('-')) : '') {
    const said = text?.[l];
    if (said) return said;
  }
  return text?.en ?? '';
}

/** Whether a language is written from right to left. */
export const direction = (language: string) => (/^(ar|arc|ckb|dv|fa|he|ks|ku|ps|sd|ug|ur|yi)(-|$)/.test(language) ? 'rtl' : 'ltr');

/** A language by its English name. */
export function nameOf(language: string): string {
  try {
    return new Intl.DisplayNames('en', { type: 'language' }).of(language) ?? language;
  } catch {
    return language;
  }
}

/** How the images were looked at, in words. */
export const looked: Record<string, string> = {
  builder: 'built the images',
  recomputed: 'recomputed every hash from images of their own',
  without: 'signed without images of their own',
};

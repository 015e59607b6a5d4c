// What somebody picked, told apart by its content: limits first, then the form.
// Everything is judged by the server as well; this is so that a wrong file is
// named before a byte of it is sent.

/** Bounds, as the server has them, in bytes. */
export const limits = { proposal: 8 << 20, metadata: 200 << 10, release: 128 << 10, submission: 24 << 20, files: 4096 };

/** What a release needs on the server before it is published. */
export interface Needed {
  what: string;
  sha256: string;
  size: number;
}

export interface Proposal {
  format: string;
  kind: string;
  product?: string;
  build?: number;
  created: string;
  roles: { name: string; signatures: unknown[] }[];
  documents: { path: string; body: string }[];
  statements: { holder: string; at: string; image?: string }[];
  rejections: { holder: string; reason: string }[];
}

export type Picked =
  | { kind: 'proposal'; file: File; proposal: Proposal; needed: Needed[] }
  | { kind: 'metadata'; file: File; name: string }
  | { kind: 'release'; file: File; path: string; needed: Needed[] }
  | { kind: 'blob'; file: File; sha256: string }
  | { kind: 'wrong'; file: File; why: string };

const hash = /^[0-9a-f]{64}$/;
const metadataName = /^[1-9][0-9]*\.(root|targets|releases-[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?)\.json$/;
const secret = /^age-encryption\.org\/|-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----|AGE-SECRET-KEY-/;

/** Tells what a file is. It reads no more of it than the limits allow. */
export async function look(file: File): Promise<Picked> {
  const wrong = (why: string): Picked => ({ kind: 'wrong', file, why });
  if (file.size === 0) return wrong('It is empty.');
  const head = await file.slice(0, 4096).text();
  if (secret.test(head) || /\.(key|pem)$/i.test(file.name) && /PRIVATE/.test(head)) {
    return wrong('This is a private key. It stays with its holder: nothing here ever needs it, and nothing of it was sent.');
  }
  if (hash.test(file.name)) return { kind: 'blob', file, sha256: file.name };
  if (!/^\s*\{/.test(head)) return wrong(guess(file.name, head));
  if (file.size > limits.proposal) return wrong(`It is larger than ${limits.proposal >> 20} MiB, the most that a proposal may be.`);
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(await file.text()) as Record<string, unknown>;
  } catch {
    return wrong('It begins like JSON but does not hold; it may have been cut off on its way. Get it again from whoever made it.');
  }
  if (typeof value['format'] === 'string') return proposalOf(file, value);
  if ('signed' in value && 'signatures' in value) return metadataOf(file, value);
  if (typeof value['spec'] === 'string' && value['spec'].startsWith('candor-release')) return releaseOf(file, value);
  if ('keyval' in value || 'public' in value) return wrong('This is a public key. Keys are named in a proposal: candor-signer product add, or root people.');
  if ('stages' in value) return wrong('This is a plan of a rollout. Bring it in under “New rollout”.');
  return wrong('It is JSON, but neither a proposal nor signed metadata. What candor-signer writes ends in .proposal.json.');
}

function guess(name: string, head: string): string {
  if (/^\s*</.test(head)) return 'This is a web page. A proxy or a sign-in page may have answered instead of the file.';
  if (/\.(img|bin|zip|zst|ext4)$/i.test(name)) return 'This looks like an image. Images are built into blobs: pick the directory that “candor-signer release build” wrote.';
  if (/\.ya?ml$/i.test(name)) return 'This is YAML. Build a proposal of it first: candor-signer release build release.yaml …';
  if (/\.(md|txt)$/i.test(name)) return 'This is a text for people. Pick the .proposal.json that belongs to it.';
  if (/\.candor$/i.test(name)) return 'This is a bundle for handsets. It is made of what is published and is not handed in.';
  return 'It is neither a proposal nor a blob: a blob’s name is the 64 digits of its hash.';
}

function proposalOf(file: File, value: Record<string, unknown>): Picked {
  const p = value as unknown as Proposal;
  const wrong = (why: string): Picked => ({ kind: 'wrong', file, why });
  if (p.format !== 'candor-proposal-1') return wrong(`Its format is “${String(p.format).slice(0, 40)}”; this server reads candor-proposal-1.`);
  if (![p.roles, p.documents, p.statements, p.rejections].every(Array.isArray) || typeof p.kind !== 'string') return wrong('It says that it is a proposal, but parts of one are missing. Get it again from whoever made it.');
  try {
    const release = p.kind === 'release' ? p.documents.find((d) => d.path === `releases/${p.product}/${p.build}.json`) : undefined;
    return { kind: 'proposal', file, proposal: p, needed: release ? neededBy(JSON.parse(release.body)) : [] };
  } catch {
    return wrong('The release in it cannot be read. Get it again from whoever made it.');
  }
}

function metadataOf(file: File, value: Record<string, unknown>): Picked {
  if (file.size > limits.metadata) return { kind: 'wrong', file, why: `It is larger than ${limits.metadata >> 10} KiB; handsets would not read it.` };
  const signed = value['signed'] as { _type?: unknown; version?: unknown } | null;
  if (signed?._type === 'timestamp' || signed?._type === 'snapshot' || /rollouts/.test(file.name)) {
    return { kind: 'wrong', file, why: 'The server signs this by itself; it is not handed in.' };
  }
  if (!metadataName.test(file.name)) return { kind: 'wrong', file, why: 'It is signed metadata, but its name says no version and role. Call it as it was written: 3.targets.json, 7.releases-phone.json.' };
  return { kind: 'metadata', file, name: file.name };
}

function releaseOf(file: File, value: Record<string, unknown>): Picked {
  if (file.size > limits.release) return { kind: 'wrong', file, why: `It is larger than ${limits.release >> 10} KiB, the most that a release may be.` };
  const { product, build } = value as { product?: unknown; build?: unknown };
  if (typeof product !== 'string' || typeof build !== 'number') return { kind: 'wrong', file, why: 'It is a release, but says no product or build.' };
  return { kind: 'release', file, path: `releases/${product}/${build}.json`, needed: neededBy(value) };
}

interface Blob64 {
  sha256?: unknown;
  size?: unknown;
}

/** The blobs that a release names. Bodies of patches are named by their tables, which are blobs themselves. */
export function neededBy(release: unknown): Needed[] {
  const r = release as { images?: { slot?: string; index?: Blob64; pack?: Blob64; patches?: { table?: Blob64 }[] }[]; provenance?: Blob64; sbom?: Blob64 };
  const out: Needed[] = [];
  const add = (what: string, b: Blob64 | undefined) => {
    if (typeof b?.sha256 === 'string' && hash.test(b.sha256) && typeof b.size === 'number' && !out.some((n) => n.sha256 === b.sha256)) out.push({ what, sha256: b.sha256, size: b.size });
  };
  for (const i of r.images ?? []) {
    add(`${i.slot}: index`, i.index);
    add(`${i.slot}: pack`, i.pack);
    for (const [n, p] of (i.patches ?? []).entries()) add(`${i.slot}: table of patch ${n + 1}`, p.table);
  }
  add('provenance', r.provenance);
  add('SBOM', r.sbom);
  return out;
}

/** The bytes of a file in base64, as submissions carry them. */
export async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

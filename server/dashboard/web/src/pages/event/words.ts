// Signing events in words, and the commands that people copy.
import type { S } from '../../api/client';

type About = Pick<S['Event'], 'kind' | 'product' | 'build' | 'roles'>;

/** What a proposal of a kind does. */
export function kindInWords(e: About): string {
  const product = e.product ?? '';
  switch (e.kind) {
    case 'init': return 'The first root of trust';
    case 'product-add': return `A new product: ${product}`;
    case 'release': return `Release ${product} ${e.build ?? ''}`;
    case 'withdraw': return `Withdraw ${product} ${e.build ?? ''}`;
    case 'renew': return `Renew ${e.roles[0]?.role ?? product}`;
    case 'spare-votes': return `Spare vote keys for ${product} ${e.build ?? ''}`;
    case 'online-keys': return 'New keys of the service';
    case 'root-people': return 'Other root holders';
    case 'product-people': return `Other engineers of ${product}`;
    case 'product-retire': return `Retire the product ${product}`;
    case 'releases-retire': return `Retire old releases of ${product}`;
    case 'root-adopt': return 'Adopt the root of another tool';
    default: return `${e.kind} ${product}`.trim();
  }
}

export interface Command {
  what: string;
  text: string;
}

/** The start of an ID that people type; signers find the event by it. */
export const short = (id: string) => id.slice(0, 8);

/** What to type before the commands below, once in a shell. */
export function setup(origin: string): string {
  return `export CANDOR_SERVER=${origin} CANDOR_TOKEN_FILE=~/.candor/token`;
}

/** The commands with which an event is read, signed, rejected and carried. */
export function commands(e: About & { id: string }): Command[] {
  const id = short(e.id);
  const own = e.kind === 'release' ? ' --image system=my-copy.img' : '';
  return [
    { what: 'Read exactly what is signed, old against new', text: `candor-signer event show ${id}` },
    { what: e.kind === 'release' ? 'Sign, with your own copy of each image; whoever built it says --builder instead' : 'Sign', text: `candor-signer event sign ${id} --key MY-KEY${own}` },
    { what: 'Refuse, under your key', text: `candor-signer event reject ${id} --key MY-KEY --reason "why"` },
    { what: 'Take it to a machine without a network, and bring back what was signed', text: `candor-signer event export ${id} --out stick/${e.product ?? 'event'}.json\ncandor-signer event import stick/${e.product ?? 'event'}.json` },
  ];
}

/** How a signer looked at the images, in words. */
export function imageInWords(image: string | undefined): string {
  switch (image) {
    case 'builder': return 'built it';
    case 'recomputed': return 'recomputed every hash from an own copy';
    case 'without': return 'signed without an own copy of the images';
    default: return '';
  }
}

// People as the server names them in its records: a name that they or their
// provider chose, and behind it who answers for it, unmistakably.

const record = /^(.+) \((?:((?:session of )?token \S+) of )?([^\s()]+)\)$/su;

/**
 * The name alone where what stands behind it says nothing else: who signed in at
 * the provider that vouches for the name, and a token called as its owner.
 * Anything else is given whole, as anybody may call a token by another's name.
 */
export function called(whole: string): string {
  const [, name = '', token, owner = ''] = record.exec(whole) ?? [];
  const vouched = token === undefined && /^https?:\/\/[^\s#]+#/.test(owner);
  return vouched || owner === `local:${name}` ? name : whole;
}

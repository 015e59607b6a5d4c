// What people type on the way to a first update, as signer/README.md and
// server/README.md have it, with this server's address filled in.

export interface Part {
  says: string;
  commands: string;
}

/** Where the commands go. */
export interface Server {
  origin: string;
  product: string;
  build: number;
}

const token = '--token-file token';

export function root(s: Server): Part[] {
  return [
    {
      says: 'Whoever runs this server makes a token for handing things in, and gives the public keys of the service (online-keys.json in its data directory) to the root holders.',
      commands: 'candor-server token new --data DIR --role engineer --name ceremony --expires 30d > token',
    },
    {
      says: 'Each root holder makes a key, on a computer of their own, and hands out the public half. Two of three is a good beginning.',
      commands: 'candor-signer key new alice --holder "Alice Chen"\ncandor-signer key show alice --public > alice.pub\ncandor-signer key show alice        # the words, to be read aloud',
    },
    {
      says: 'One of them writes the first root, and each reads and signs it. The page for the day, with all names filled in, is made by the last line.',
      commands: 'candor-signer init --root-key alice.pub --root-key bob.pub --root-key carol.pub --threshold 2 --online online-keys.json\ncandor-signer event sign init.proposal.json --key alice\ncandor-signer event sign init.proposal.json --key bob\ncandor-signer ceremony plan init --people alice.pub --people bob.pub --people carol.pub --threshold 2 --out runbook.md',
    },
    { says: 'Publish it, or hand the file in under “Submit”. Keep 1.root.json: handsets leave the factory with it.', commands: `candor-signer event publish init.proposal.json --server ${s.origin} ${token}` },
  ];
}

export function product(s: Server): Part[] {
  return [
    { says: 'Engineers make keys as the root holders did. Nobody is both.', commands: 'candor-signer key new dora --holder "Dora Fang"\ncandor-signer key show dora --public > dora.pub' },
    { says: 'A root holder writes who they are.', commands: `candor-signer product add ${s.product} --engineer dora.pub --engineer emil.pub --threshold 2 --server ${s.origin}` },
    {
      says: 'Two root holders sign it, and two engineers; who has never met this system names the root to trust.',
      commands: `candor-signer event sign ${s.product}.proposal.json --key alice\ncandor-signer event sign ${s.product}.proposal.json --key bob\ncandor-signer event sign ${s.product}.proposal.json --key dora --root 1.root.json\ncandor-signer event sign ${s.product}.proposal.json --key emil --root 1.root.json`,
    },
    { says: 'Publish it, or hand the file in under “Submit”.', commands: `candor-signer event publish ${s.product}.proposal.json --server ${s.origin} ${token}` },
  ];
}

export function release(s: Server): Part[] {
  const dir = `${s.product}-${s.build}`;
  return [
    { says: 'Get the public vote keys of the build from this server.', commands: `candor-server vote-keys ${s.product} ${s.build} --json --data DIR > vote-keys.json` },
    { says: 'Build it from release.yaml (manifests/examples has one) and the images, and sign it as its builder.', commands: `candor-signer release build release.yaml --image system=system.img --vote-keys vote-keys.json --server ${s.origin} --out ${dir}\ncandor-signer event sign ${dir}/${dir}.proposal.json --key dora --builder` },
    { says: 'Put it here, for the others to sign. They compare it with images of their own.', commands: `export CANDOR_SERVER=${s.origin} CANDOR_TOKEN_FILE=token\ncandor-signer event open ${dir}/${dir}.proposal.json --blobs ${dir}\ncandor-signer event sign ID --key emil --image system=my-copy.img` },
    { says: 'Publish it here under “Approvals”, or by command.', commands: 'candor-signer event publish ID' },
  ];
}

export function handset(s: Server): Part[] {
  return [
    {
      says: 'A handset needs the agent, the root, and a few lines. client/README.md says how to put it on a board; without one it simulates its slots.',
      commands: `# /etc/candor/client.yaml\nproduct: ${s.product}\nmodel: MODEL\nservers:\n  - ${s.origin}\nstate: /data/candor\nslots: /data/slots`,
    },
    { says: 'Poll once and see what it makes of the rollout.', commands: 'candor-client once\ncandor-client status' },
  ];
}

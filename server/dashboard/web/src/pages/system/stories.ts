import type { S } from '../../api/client';
import { admin } from '../../stories/fake';
import type { Story } from '../../stories/story';

const q = (name: string, running: number, width: number, waiting = 0, turnedAway = 0): S['Queue'] => ({ name, running, waiting, width, turnedAway });

const system: S['System'] = {
  at: '2026-11-21T12:00:00Z',
  servers: [
    { id: 'J2K7QMXW5ABC', name: 'ota-1', program: 'v1.4.0', started: '2026-11-12T06:00:00Z', seen: '2026-11-21T12:00:00Z', here: true, publisher: true },
    { id: 'P8ZT4N6YD1CD', name: 'ota-2', program: 'v1.4.0', started: '2026-11-12T06:02:00Z', seen: '2026-11-21T11:59:57Z', here: false },
  ],
  published: { snapshot: 1482, timestamp: 9031, at: '2026-11-21T09:12:00Z', expires: '2026-11-23T09:12:00Z', behind: 0, lagMillis: 640 },
  publisher: 'J2K7QMXW5ABC',
  publishing: false,
  queues: [q('actions', 0, 16), q('arriving', 3, 2048), q('downloads', 212, 4096), q('live', 14, 1000), q('operators', 2, 64), q('reports', 5, 256), q('sign-ins', 0, 32), q('submissions', 0, 4), q('uploads', 0, 16)],
  parts: [
    { name: 'ledger', kind: 'ledger', ok: true, sentence: 'it answers' },
    { name: 'blobs', kind: 'blobs', ok: true, sentence: 'what is published can be read' },
    { name: 'publishing', kind: 'publisher', ok: true, sentence: 'the tree is fresh' },
    { name: 'clock', kind: 'server', ok: true, sentence: 'within 3ms of the ledger\'s' },
    { name: 'chat', kind: 'webhook', ok: true, sentence: '118 delivered' },
  ],
  streams: { handsets: 2210, people: 14 },
  audit: { seq: 20481, hash: 'ab'.repeat(32), words: 'tunnel vivid ocean marble cactus dwarf' },
};

const trouble: S['System'] = {
  ...system,
  servers: [system.servers[0]!, { ...system.servers[1]!, trouble: 'its settings differ from those of the one that answers: votes, webhooks' }],
  published: { ...system.published!, expires: '2026-11-21T11:00:00Z', behind: 2, failingSince: '2026-11-19T12:00:00Z' },
  queues: [q('actions', 0, 16), q('operators', 64, 64, 256, 1312), q('reports', 220, 256, 80, 12)],
  parts: [
    system.parts[0]!,
    { name: 'publishing', kind: 'publisher', ok: false, sentence: 'the timestamp has expired' },
    { name: 'x'.repeat(120) + '<b>', kind: 'webhook', ok: false, sentence: 'it cannot be delivered since 2026-11-20T03:00:00Z' },
  ],
};

const fresh: S['System'] = {
  at: system.at, servers: [{ id: 'alone', name: 'laptop', program: '(devel)', started: system.at, seen: system.at, here: true }], queues: system.queues,
  parts: [system.parts[0]!, { name: 'publishing', kind: 'publisher', ok: false, sentence: 'there is no root of trust yet' }],
  streams: { handsets: 0, people: 1 }, audit: { seq: 2, hash: 'ab'.repeat(32), words: 'tunnel vivid ocean marble cactus dwarf' },
};

export const stories: Story[] = [
  { name: 'normal', path: '/system', answers: { 'GET /v1/system': system } },
  { name: 'trouble', path: '/system', answers: { 'GET /v1/system': trouble } },
  { name: 'nothing published', path: '/system', answers: { 'GET /v1/system': fresh } },
  { name: 'one product only', path: '/system', answers: {}, caller: { ...admin, grants: [{ role: 'operator', products: ['phone'] }], permissions: ['read', 'operate', 'approve', 'halt'] } },
];

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, look, neededBy } from './files';

const file = (name: string, text: string) => new File([text], name);
const release = JSON.stringify({ spec: 'candor-release-v1', product: 'phone', build: 44, images: [{ slot: 'system', index: { sha256: '1'.repeat(64), size: 3 }, pack: { sha256: '2'.repeat(64), size: 5 } }] });
const proposal = { format: 'candor-proposal-1', kind: 'release', product: 'phone', build: 44, created: '', roles: [], documents: [{ path: 'releases/phone/44.json', body: release }], statements: [], rejections: [] };

const why = async (f: File) => {
  const p = await look(f);
  assert.equal(p.kind, 'wrong', f.name);
  return p.kind === 'wrong' ? p.why : '';
};

test('a proposal names the blobs of its release', async () => {
  const p = await look(file('phone-44.proposal.json', JSON.stringify(proposal)));
  assert.equal(p.kind, 'proposal');
  assert.deepEqual(p.kind === 'proposal' && p.needed.map((n) => n.size), [3, 5]);
});

test('private keys are never taken, under whatever name', async () => {
  assert.match(await why(file('alice.key', 'age-encryption.org/v1\n-> scrypt')), /private key/);
  assert.match(await why(file('1'.repeat(64), '-----BEGIN PRIVATE KEY-----\n')), /private key/);
  assert.match(await why(file('release.json', '-----BEGIN OPENSSH PRIVATE KEY-----\n')), /private key/);
});

test('a wrong file is told in words', async () => {
  assert.match(await why(file('a', '')), /empty/);
  assert.match(await why(file('a.json', '<!doctype html>')), /web page/);
  assert.match(await why(file('a.json', '{"format":')), /cut off/);
  assert.match(await why(file('a.json', '{"format":"candor-proposal-9"}')), /candor-proposal-9/);
  assert.match(await why(file('a.json', '{"format":"candor-proposal-1"}')), /parts of one are missing/);
  assert.match(await why(file('system.img', 'ANDROID!')), /image/);
  assert.match(await why(file('timestamp.json', '{"signed":{"_type":"timestamp"},"signatures":[]}')), /by itself/);
  assert.match(await why(file('x.json', '{"signed":{"_type":"targets"},"signatures":[]}')), /no version and role/);
  assert.match(await why(file('rollout.yaml', '{"stages":[]}')), /plan/);
});

test('what is too large is not read', async () => {
  const large = file('p.json', '{' + ' '.repeat(limits.proposal));
  Object.defineProperty(large, 'text', { value: () => assert.fail('it was read') });
  assert.match(await why(large), /larger than 8 MiB/);
});

test('a blob is known by its name', async () => {
  const p = await look(file('ab'.repeat(32), 'bytes'));
  assert.equal(p.kind, 'blob');
  assert.equal((await look(file('AB'.repeat(32), 'bytes'))).kind, 'wrong');
});

test('a release that names nonsense needs nothing', () => {
  assert.deepEqual(neededBy({ images: [{ index: { sha256: '../..', size: 1 }, pack: { sha256: '1'.repeat(64), size: '9' } }] }), []);
});

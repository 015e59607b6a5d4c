import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { S } from '../api/client';
import { ahead, against, halted, people, rollout, soaking } from './made/rollouts';
import { canHalt, glassOf, stepsOf, type Who } from './steps';

const given: Record<string, S['Permission'][]> = {
  viewer: ['read'], engineer: ['read', 'submit', 'halt'], operator: ['read', 'operate', 'approve', 'halt'], admin: ['read', 'submit', 'operate', 'approve', 'halt', 'break-glass', 'administer'],
};
const who = (role: string, person = 'oidc:ada'): Who => ({ person, may: (need) => given[role]!.includes(need) });
const names = (r: S['Rollout'], w: Who) => stepsOf(r, w).map((s) => s.name + (s.barred ? '!' : ''));

test('each state offers its steps, and no others', () => {
  const op = who('operator');
  assert.deepEqual(names(rollout('draft'), op), ['propose', 'start', 'abandon']);
  assert.deepEqual(names(rollout('proposed'), op), ['approve', 'reject', 'abandon']);
  assert.deepEqual(names(rollout('approved'), op), ['start', 'approve', 'reject', 'abandon']);
  assert.deepEqual(names(rollout('scheduled'), op), ['approve']);
  assert.deepEqual(names(rollout('active', { outlook: ahead }), op), ['advance', 'approve', 'pause']);
  assert.deepEqual(names(rollout('held'), op), ['resume', 'approve']);
  assert.deepEqual(names(rollout('halted', halted), op), ['resume']);
  for (const over of ['complete', 'superseded', 'abandoned'] as const) assert.deepEqual(names(rollout(over), op), []);
});

test('who may only stop is offered only that', () => {
  assert.deepEqual(names(rollout('active', { outlook: ahead }), who('engineer')), ['pause']);
  assert.deepEqual(names(rollout('active', { outlook: ahead }), who('viewer')), []);
});

test('nobody is offered to approve their own', () => {
  assert.deepEqual(names(rollout('proposed', { author: people.ada }), who('operator')), ['approve!', 'reject', 'abandon']);
  const wish = { ...halted, resume: { by: people.ada, at: '2026-11-21T10:00:00Z', upTo: 1 } };
  assert.deepEqual(names(rollout('halted', wish), who('operator')), ['approve!', 'reject']);
  assert.deepEqual(names(rollout('halted', wish), who('operator', 'oidc:li')), ['approve', 'reject']);
});

test('going ahead of a verdict needs a reason, and nothing goes against one', () => {
  const step = (r: S['Rollout']) => stepsOf(r, who('admin')).find((s) => s.name === 'advance');
  assert.equal(step(rollout('active', { outlook: ahead }))?.reason, 'required');
  assert.match(step(rollout('active', { outlook: against }))?.barred ?? '', /speak against/);
  assert.match(step(rollout('active', { outlook: soaking }))?.barred ?? '', /soaks/);
});

test('whoever advances lends their own word, once', () => {
  const outlook: S['Outlook'] = { sentence: '', findings: [], waits: [{ code: 'approval-needed', sentence: '1 more must approve it' }] };
  const advance = (person: string) => stepsOf(rollout('active', { outlook, missingApprovals: 1 }), who('operator', person)).find((s) => s.name === 'advance');
  assert.equal(advance('oidc:ada')?.barred, undefined);
  assert.match(advance('oidc:li')?.barred ?? '', /1 more/); // who proposed it counts already
});

test('glass is broken by admins, past rules and never past what is signed', () => {
  assert.equal(glassOf(rollout('active', { outlook: soaking }), who('operator')), undefined);
  assert.equal(glassOf(rollout('active', { outlook: soaking }), who('admin'))?.reason, 'required');
  assert.equal(glassOf(rollout('active', { outlook: against }), who('admin')), undefined);
  const pace: S['Outlook'] = { ...soaking, waits: [...soaking.waits, { code: 'pace', sentence: '' }] };
  assert.equal(glassOf(rollout('active', { outlook: pace }), who('admin')), undefined);
  assert.equal(glassOf(rollout('active', { outlook: ahead }), who('admin')), undefined); // nothing to go past
});

test('what widens says how far, and asks', () => {
  for (const state of ['draft', 'approved', 'active', 'held'] as const)
    for (const s of stepsOf(rollout(state, { outlook: ahead }), who('admin'))) if (s.effect === 'widen') assert.ok(s.share && s.says.length, s.name);
});

test('a halt is for what handsets hear of', () => {
  assert.deepEqual((['draft', 'proposed', 'approved', 'scheduled', 'active', 'held', 'halted', 'complete', 'superseded', 'abandoned'] as const).filter(canHalt), ['scheduled', 'active', 'held', 'complete']);
});

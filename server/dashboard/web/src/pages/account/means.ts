import type { S } from '../../api/client';

/** What each permission lets one do, in words. */
export const means: [S['Permission'], string][] = [
  ['read', 'look at everything about its products'],
  ['submit', 'hand in releases and signing events'],
  ['operate', 'draft, start, widen and resume rollouts'],
  ['approve', 'say yes to what somebody else asks for'],
  ['halt', 'halt and pause, alone and at once'],
  ['break-glass', 'go on without approvals, loudly'],
  ['administer', 'make tokens, end sessions of others, export the audit log'],
];

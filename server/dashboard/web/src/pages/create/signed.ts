// What a signed release allows a rollout, as far as the form shows it. The
// server holds every plan against the whole document.
import type { S } from '../../api/client';

export interface Release {
  version?: string;
  compatible?: { models?: string[]; minBuild?: number };
  urgency?: { maxKind: string; minDeferral: string; earliestDeadline?: string };
  notBefore?: string;
  offerUntil?: string;
  pace?: { after: string; maxSharePPM: number }[];
}

/** The document of a release as the form reads it. */
export function signedOf(detail: S['ReleaseDetail'] | undefined): Release | undefined {
  return detail?.document as Release | undefined;
}

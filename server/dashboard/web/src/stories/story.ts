import type { Component } from 'svelte';
import type { S } from '../api/client';

/** An answer that is more than its body. */
export class Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Record<string, string>;

  constructor(status: number, body?: unknown, headers: Record<string, string> = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** A refusal. */
export function refuse(status: number, code: string, detail: string, headers: Record<string, string> = {}): Reply {
  return new Reply(status, { type: 'about:blank', title: detail, status, code, detail } satisfies S['Problem'], headers);
}

/** No answer ever comes. */
export const never = new Reply(-1);

/** What is asked of the fake server. */
export interface Asked {
  method: string;
  path: string;
  search: URLSearchParams;
  headers: Headers;
  body: unknown;
}

/** A body that is answered with status 200, a Reply, or what makes one of them. */
export type Answer = Reply | ((asked: Asked) => unknown) | object | string | number | boolean | null;

/** A page in one state, without a server. */
export interface Story {
  name: string;
  /** The address that the page is shown at. */
  path: string;
  /**
   * What the server says, by method and path: 'GET /v1/rollouts'. The path with
   * its query comes before the path alone; a path that ends in /* stands for
   * all below it. What is not named is answered with 404.
   */
  answers: Record<string, Answer>;
  /** Who looks; an admin of all products if absent, nobody if null. */
  caller?: S['Caller'] | null;
  /** The state of the live stream; live if absent. */
  live?: 'live' | 'reconnecting' | 'stale';
  /** The time that the clock shows; 2026-11-21T12:00:00Z if absent. */
  now?: string;
  /** What is shown in the frame in place of a page, such as a list of parts. */
  view?: () => Promise<{ default: Component }>;
  /** Brings the page into its state once it is shown, such as by opening a dialog. */
  act?: (page: HTMLElement) => void | Promise<void>;
}

import type { Route } from '../../route/route';

export const route: Route = { pattern: '/sign-in', title: () => 'Sign in', open: true };

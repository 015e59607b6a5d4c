import type { Route } from '../../route/route';

export const route: Route = { pattern: '/account', title: () => 'Account' };

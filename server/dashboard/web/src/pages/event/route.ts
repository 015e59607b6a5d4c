import type { Route } from '../../route/route';

export const route: Route = { pattern: '/events/:id', title: (p) => `Signing event ${(p['id'] ?? '').slice(0, 8)}` };

import type { Route } from '../../route/route';

export const route: Route = { pattern: '/submit', title: () => 'Submit', nav: { label: 'Submit', order: 40 }, needs: 'submit' };

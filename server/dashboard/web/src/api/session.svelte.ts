// Who looks at this page, and what they may do. It hides what one may not do;
// the server refuses it anyway.
import { caller, get, ProblemError, type S } from './client';

type Permission = S['Permission'];

const given: Record<S['Role'], Permission[]> = {
  viewer: ['read'],
  engineer: ['read', 'submit', 'halt'],
  operator: ['read', 'operate', 'approve', 'halt'],
  admin: ['read', 'submit', 'operate', 'approve', 'halt', 'break-glass', 'administer'],
};

class Session {
  /** Null while nobody is signed in. */
  caller: S['Caller'] | null = $state.raw(null);
  /** Why it is not known who this is. */
  error: ProblemError | undefined = $state.raw();

  /** Whether the caller may do it: for the product, or for any if none is named. */
  may(need: Permission, product?: string): boolean {
    const c = this.caller;
    if (!c?.permissions.includes(need)) return false;
    return product === undefined || c.grants.some((g) => given[g.role].includes(need) && (g.products.length === 0 || g.products.includes(product)));
  }

  /** Whether the caller may do it for every product there is. */
  everywhere(need: Permission): boolean {
    return this.may(need) && !!this.caller?.grants.some((g) => given[g.role].includes(need) && g.products.length === 0);
  }

  /** Asks the server who this is. */
  async load(): Promise<void> {
    try {
      this.caller = (await get<S['Caller']>('/v1/auth/session')).data;
      this.error = undefined;
    } catch (e) {
      if (!(e instanceof ProblemError)) throw e;
      if (e.status === 401) this.caller = null;
      this.error = e.status === 401 ? undefined : e;
    }
  }
}

export const session = new Session();

caller.csrf = () => session.caller?.csrf;
caller.renew = () => session.load();
caller.lost = () => {
  session.caller = null;
};

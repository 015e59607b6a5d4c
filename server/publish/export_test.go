package publish

import "context"

// RehearseWithout rehearses a tree whose snapshot lacks a role that it had.
func RehearseWithout(ctx context.Context, p *Publisher, role string) error {
	return rehearse(ctx, p, role, (*rehearsal).run)
}

// RehearseFresh is RehearseWithout for a handset that has seen nothing yet.
func RehearseFresh(ctx context.Context, p *Publisher, role string) error {
	return rehearse(ctx, p, role, func(r *rehearsal) error { return r.newHandset(r.now) })
}

func rehearse(ctx context.Context, p *Publisher, without string, how func(*rehearsal) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	st, err := p.aside(ctx, Submission{})
	if err != nil {
		return err
	}
	delete(st.next.Versions, without)
	if err := st.signAll(ctx); err != nil {
		return err
	}
	return how(&rehearsal{before: p.current, next: st.next, now: p.now(), walked: map[rootLink]bool{}})
}

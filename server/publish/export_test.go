package publish

import "context"

// RehearseWithout rehearses a tree whose snapshot lacks a role that it had.
func RehearseWithout(ctx context.Context, p *Publisher, role string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	st, err := p.aside(ctx, Submission{})
	if err != nil {
		return err
	}
	delete(st.next.Versions, role)
	if err := st.signAll(ctx); err != nil {
		return err
	}
	r := &rehearsal{before: p.current, next: st.next, now: p.now(), walked: map[rootLink]bool{}}
	return r.run()
}

// RehearseFresh is RehearseWithout for a handset that has seen nothing yet.
func RehearseFresh(ctx context.Context, p *Publisher, role string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	st, err := p.aside(ctx, Submission{})
	if err != nil {
		return err
	}
	delete(st.next.Versions, role)
	if err := st.signAll(ctx); err != nil {
		return err
	}
	r := &rehearsal{before: p.current, next: st.next, now: p.now(), walked: map[rootLink]bool{}}
	return r.newHandset(p.now())
}

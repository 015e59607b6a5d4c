package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"time"
)

// invite tells whoever keeps the server where to look, and makes two people to
// sign in as: whoever proposes a rollout does not approve it. The demo acts as
// they from there on.
func (d *demo) invite(ctx context.Context) error {
	if !d.keep {
		return nil
	}
	d.say.line("\n          Watch it at %s", d.Server)
	d.admin = d.Token
	for _, p := range []struct {
		name, does string
		token      *string
	}{{"olga", "who operates rollouts", &d.Token}, {"ben", "who approves them", &d.Second}} {
		var err error
		if *p.token, err = d.NewToken(ctx, p.name, "operator"); err != nil {
			return err
		}
		d.say.line("          token of %-5s %s   (%s)", p.name+":", *p.token, p.does)
	}
	d.say.line("")
	return nil
}

// await lets the rollout begin when somebody looks.
func (d *demo) await(ctx context.Context) error {
	if !d.wait {
		return nil
	}
	d.say.step("sign in at " + d.Server + " to see the rollout from its beginning, or press Enter")
	enter := make(chan struct{})
	go func() {
		defer close(enter)
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			<-ctx.Done() // there is nobody at the keyboard
		}
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-enter:
			return nil
		case <-tick.C:
			signedIn, err := d.signedIn(ctx)
			if signedIn || err != nil {
				return err
			}
		}
	}
}

// signedIn tells whether anybody has a session.
func (d *demo) signedIn(ctx context.Context) (bool, error) {
	var list struct {
		Sessions []struct{} `json:"sessions"`
	}
	err := d.CallAs(ctx, d.admin, http.MethodGet, "/v1/auth/sessions?all=true", nil, &list)
	return len(list.Sessions) > 0, err
}

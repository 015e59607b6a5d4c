package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/store"
)

// withLedger opens the ledger for one command; a running server may have it
// open too.
func (a *app) withLedger(ctx context.Context, f func(store.Ledger) error) (err error) {
	d, err := a.dir()
	if err != nil {
		return err
	}
	file, err := d.Load()
	if err != nil {
		return err
	}
	l, err := d.OpenLedger(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := carry.Ready(ctx, l); err != nil {
		return err
	}
	return f(l)
}

// who is the person at the command line, for the audit log.
func who() string {
	u, err := user.Current()
	if err != nil {
		return "command line"
	}
	return "command line: " + u.Username
}

func (a *app) tokenCommand() *cobra.Command {
	group := &cobra.Command{Use: "token", Short: "API tokens"}
	group.AddCommand(a.tokenNew(), a.tokenList(), a.tokenRevoke())
	return group
}

// tokenFlags are those of token new, as typed.
type tokenFlags struct {
	role, name, owner, expires string
	products, scope            []string
}

func (f tokenFlags) parse(now time.Time) (auth.NewToken, error) {
	n := auth.NewToken{Name: f.name, Owner: f.owner, By: who()}
	var err error
	if n.Role, err = auth.ParseRole(f.role); err != nil {
		return n, err
	}
	for _, text := range f.products {
		p, err := manifests.ParseProduct(text)
		if err != nil {
			return n, err
		}
		n.Products = append(n.Products, p)
	}
	for _, text := range f.scope {
		p, err := auth.ParsePermission(text)
		if err != nil {
			return n, err
		}
		n.Scope = append(n.Scope, p)
	}
	if n.Expires, err = auth.ParseLife(f.expires, now); err != nil {
		return n, err
	}
	return n, n.Check()
}

func (a *app) tokenNew() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "new --role admin|operator|engineer|viewer --name NAME [--owner PERSON] [--product P] [--scope PERMISSION] [--expires 90d]",
		Short: "Make a token; it is printed this once",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := f.parse(a.now())
			if err != nil {
				return usageError{err}
			}
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				id, secret, err := auth.Create(cmd.Context(), l, n, a.now())
				if err != nil {
					return err
				}
				out := map[string]string{"id": id, "name": n.Name, "person": n.Owner, "role": f.role, "token": secret}
				if n.Expires.IsZero() {
					out["warning"] = auth.NeverWarning
					fmt.Fprintln(a.err, "WARNING:", auth.NeverWarning)
				} else {
					out["expires"] = n.Expires.Format(time.RFC3339)
				}
				return a.print(out, secret)
			})
		},
	}
	cmd.Flags().StringVar(&f.role, "role", "", "viewer, engineer, operator or admin")
	cmd.Flags().StringVar(&f.name, "name", "", "what it is called in lists and logs")
	cmd.Flags().StringVar(&f.owner, "owner", "", "the person who answers for it, as issuer#subject or local:NAME: one person's tokens count once where two people are needed (default: local: and the name)")
	cmd.Flags().StringSliceVar(&f.products, "product", nil, "only for this product (may be repeated)")
	cmd.Flags().StringSliceVar(&f.scope, "scope", nil, "only for this permission of the role: read, submit, operate, approve, halt, break-glass, administer (may be repeated)")
	cmd.Flags().StringVar(&f.expires, "expires", "", "how long it lives, such as 30d, or never (default 90d)")
	return cmd
}

func (a *app) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "All tokens, without their secrets",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				list, err := l.Tokens(cmd.Context())
				if err != nil {
					return err
				}
				out, text := []map[string]any{}, []string{}
				for _, t := range list {
					state := tokenState(t, a.now())
					out = append(out, map[string]any{
						"id": t.ID, "name": t.Name, "person": t.Owner, "role": t.Role, "products": append([]manifests.Product{}, t.Products...),
						"scope": append([]string{}, t.Scope...), "state": state,
					})
					text = append(text, fmt.Sprintf("%s  %-8s  %s  %s (%s)", t.ID, t.Role, state, t.Name, t.Owner))
				}
				return a.print(out, strings.Join(text, "\n"))
			})
		},
	}
}

func tokenState(t store.Token, now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked " + t.Revoked.Format(time.RFC3339)
	case t.Expires.IsZero():
		return "never expires"
	case !now.Before(t.Expires):
		return "expired " + t.Expires.Format(time.RFC3339)
	}
	return "expires " + t.Expires.Format(time.RFC3339)
}

func (a *app) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End a token at once",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				e := store.Entry{At: a.now().UTC().Truncate(time.Second), Who: who(), What: "token.revoke", Subject: args[0]}
				if err := l.RevokeToken(cmd.Context(), args[0], e); err != nil {
					return fmt.Errorf("revoke token: %w", err)
				}
				return a.print(map[string]string{"revoked": args[0]}, "revoked "+args[0])
			})
		},
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
)

// withLedger opens the ledger for one command; a running server may have it
// open too.
func (a *app) withLedger(ctx context.Context, f func(store.Ledger) error) (err error) {
	d, err := a.dir()
	if err != nil {
		return err
	}
	l, err := sqlite.Open(ctx, d.Ledger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
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
	group.AddCommand(a.tokenNew(), a.tokenRevoke())
	return group
}

func (a *app) tokenNew() *cobra.Command {
	var role, name, expires string
	var products []string
	cmd := &cobra.Command{
		Use:   "new --role admin|operator|engineer|viewer --name NAME [--product P] [--expires 30d]",
		Short: "Make a token; it is printed this once",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n := auth.NewToken{Name: name, By: who()}
			var err error
			if n.Role, err = auth.ParseRole(role); err != nil {
				return usageError{err}
			}
			for _, text := range products {
				p, err := manifests.ParseProduct(text)
				if err != nil {
					return usageError{err}
				}
				n.Products = append(n.Products, p)
			}
			if expires != "" {
				life, err := manifests.ParseDuration(expires)
				if err != nil {
					return usageError{err}
				}
				n.Expires = a.now().Add(life.Duration).UTC().Truncate(time.Second)
			}
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				id, secret, err := auth.Create(cmd.Context(), l, n, a.now())
				if err != nil {
					return err
				}
				return a.print(map[string]string{"id": id, "name": name, "role": role, "token": secret}, secret)
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "viewer, engineer, operator or admin")
	cmd.Flags().StringVar(&name, "name", "", "the person or machine that will use it")
	cmd.Flags().StringSliceVar(&products, "product", nil, "only for this product (may be repeated)")
	cmd.Flags().StringVar(&expires, "expires", "", "how long it lives, such as 30d (default: for ever)")
	return cmd
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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/notify"
	"github.com/candor-ota/candor/server/observe"
)

// answers asks one path of a listener for metrics and health.
func answers(ctx context.Context, address, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s", path, resp.StatusCode, said)
	}
	return nil
}

// told tells the service manager that the server is ready, and that it is alive
// for as long as the admin listener answers, until ctx ends.
func told(ctx context.Context, admin string) error {
	m := notify.FromEnvironment(os.Getenv, os.Getpid())
	if err := m.Ready(); err != nil {
		return err
	}
	go m.Watch(ctx, func(ctx context.Context) error { return answers(ctx, admin, "/livez") })
	go func() {
		<-ctx.Done()
		if err := m.Stopping(); err != nil {
			return // it is in no hurry then
		}
	}()
	return nil
}

// metrics serves figures and health to a Prometheus on another machine, where
// config.yaml names an address for it; without one it gives nil.
func metrics(service *api.API, f config.File, log *slog.Logger) (*http.Server, net.Listener, error) {
	if f.Metrics == "" {
		return nil, nil, nil
	}
	l, err := net.Listen("tcp", f.Metrics)
	if err != nil {
		return nil, nil, fmt.Errorf("listen for metrics: %w", err)
	}
	s := api.NewServer(service.Health())
	s.ErrorLog = observe.ServerLog(log)
	return s, l, nil
}

func (a *app) healthyCommand() *cobra.Command {
	var admin string
	var live bool
	cmd := &cobra.Command{
		Use:   "healthy [--data DIR] [--admin HOST:PORT] [--live]",
		Short: "Exit 0 if the server of this machine is ready (or alive)",
		Long:  "For health checks of containers, which have no other program to ask with. It asks the admin listener.",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if admin == "" {
				admin = config.DefaultAdmin
				if a.data != "" {
					f, err := config.Dir(a.data).Load()
					if err != nil {
						return err
					}
					admin = f.Admin
				}
			}
			path := "/readyz"
			if live {
				path = "/livez"
			}
			return answers(cmd.Context(), admin, path)
		},
	}
	cmd.Flags().StringVar(&admin, "admin", "", "host:port (default: as config.yaml says)")
	cmd.Flags().BoolVar(&live, "live", false, "alive is enough: it may have no root yet, or no ledger for now")
	return cmd
}

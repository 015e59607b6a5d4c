package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/publish"
)

// overrides are the flags that win over config.yaml.
type overrides struct{ listen, admin, cert, key string }

func (o overrides) apply(f config.File) (config.File, error) {
	if o.listen != "" {
		f.Listen = o.listen
	}
	if o.admin != "" {
		f.Admin = o.admin
	}
	if (o.cert == "") != (o.key == "") {
		return f, usagef("--tls-cert and --tls-key come together")
	}
	if o.cert != "" {
		f.TLS = &config.TLS{Cert: o.cert, Key: o.key}
	}
	if err := f.Validate(); err != nil {
		return f, usageError{err}
	}
	return f, nil
}

func (a *app) runCommand() *cobra.Command {
	var o overrides
	cmd := &cobra.Command{
		Use:   "run --data DIR",
		Short: "Serve a data directory",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.dir()
			if err != nil {
				return err
			}
			f, err := d.Load()
			if err != nil {
				return err
			}
			if f, err = o.apply(f); err != nil {
				return err
			}
			return a.run(cmd.Context(), d, f)
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", "", "host:port for handsets and operators (default "+config.DefaultListen+")")
	cmd.Flags().StringVar(&o.admin, "admin", "", "host:port on loopback for metrics and health (default "+config.DefaultAdmin+")")
	cmd.Flags().StringVar(&o.cert, "tls-cert", "", "PEM file: serve HTTPS")
	cmd.Flags().StringVar(&o.key, "tls-key", "", "PEM file")
	return cmd
}

// run opens everything, serves until ctx ends, and closes everything in the
// opposite order.
func (a *app) run(ctx context.Context, d config.Dir, f config.File) (err error) {
	lock, err := d.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	keys, err := publish.LoadKeys(d.Keys())
	if err != nil {
		return err
	}
	master, err := d.LoadMaster()
	if err != nil {
		return err
	}
	ledger, err := d.OpenLedger(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if err := carry.Ready(ctx, ledger); err != nil {
		return err
	}
	log, tracing, err := a.watched(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeTracing(ctx, tracing)) }()
	among, err := a.join(ctx, d, f, ledger, keys, master, log)
	if err != nil {
		return err
	}
	blobs, err := a.openBlobs(ctx, d, f, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	if err := sameKeys(ctx, f, ledger, blobs, keys); err != nil {
		return err
	}
	people, err := f.People(ledger, a.now)
	if err != nil {
		return err
	}
	bounds, err := limits(f, log)
	if err != nil {
		return err
	}
	service, err := api.Assemble(ctx, api.Parts{
		Limits: bounds,
		Ledger: ledger, Blobs: blobs, Keys: keys, Master: master, UploadDir: d.Uploads(), Now: a.now,
		Log: log, Observed: observe.New(a.now, tracing.Tracer()),
		MinKeyAge: f.Votes.KeyAge(), Grace: f.Votes.GraceTime(), ShowEvery: f.Votes.Shown(),
		CloseAfter: f.Votes.Closing(),
		People:     people, TrustedProxies: f.TrustedProxies, ApprovalShare: f.Rollouts.OnePerson(), LookEvery: f.Rollouts.Look(),
		Webhooks: f.Webhooks, Shared: f.Shared(), Peers: among,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	return a.serve(ctx, service, f, log)
}

func (a *app) serve(ctx context.Context, service *api.API, f config.File, log *slog.Logger) (err error) {
	public, err := net.Listen("tcp", f.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	admin, err := net.Listen("tcp", f.Admin)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for admin: %w", err), public.Close())
	}
	front, back := api.NewServer(service), api.NewServer(service.Admin())
	counted, shut, err := bounded(public, front, service, f, log)
	if err != nil {
		return errors.Join(err, public.Close(), admin.Close())
	}
	figures, scrapes, err := metrics(service, f, log)
	if err != nil {
		return errors.Join(err, public.Close(), admin.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	renewal := make(chan struct{})
	go func() {
		defer close(renewal)
		service.Run(ctx)
	}()
	front.ErrorLog, back.ErrorLog = observe.ServerLog(log), observe.ServerLog(log)
	failed := make(chan error, 3)
	if figures != nil {
		defer func() { err = errors.Join(err, figures.Close()) }()
		go func() { failed <- figures.Serve(scrapes) }()
	}
	scheme := "http"
	if f.TLS != nil {
		scheme = "https"
		go func() { failed <- front.ServeTLS(counted, f.TLS.Cert, f.TLS.Key) }()
	} else {
		go func() { failed <- front.Serve(counted) }()
	}
	go func() { failed <- back.Serve(admin) }()
	address, adminAddress := scheme+"://"+public.Addr().String(), "http://"+admin.Addr().String()
	err = a.print(map[string]string{"listen": address, "admin": adminAddress}, fmt.Sprintf("serving %s, admin %s", address, adminAddress))
	if err == nil {
		err = told(ctx, admin.Addr().String())
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
			if errors.Is(err, http.ErrServerClosed) {
				err = nil
			}
		}
	}
	cancel()
	service.EndStreams()
	err = errors.Join(err, a.finish(ctx, log, front.Shutdown, shut, back.Shutdown), front.Close(), back.Close())
	<-renewal
	return err
}

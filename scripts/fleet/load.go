package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/fleet/load"
	service "github.com/candor-ota/candor/server/votes"
)

// Bounds of a run: what one process can hold without being what is measured.
const (
	maxLoadHandsets = 1_000_000
	maxLoadRate     = 100_000
	maxLoadFor      = time.Hour
	maxInFlight     = 16_000 // connections, of the 20,000 files that many machines allow
)

// loadOptions are the flags of load.
type loadOptions struct {
	load.Options
	asJSON bool
}

func parseLoad(args []string) (*loadOptions, error) {
	o := &loadOptions{}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	servers := flags.String("server", "", "base addresses, with commas between them; without, a server is brought up here for the run")
	flags.IntVar(&o.Handsets, "handsets", 1_000, "the size of the fleet, up to 1,000,000")
	flags.Float64Var(&o.Rate, "rate", 200, "polls a second that arrive, answered or not, up to 100,000")
	flags.DurationVar(&o.Duration, "duration", 30*time.Second, "how long they arrive, up to 1h; six hours of reports are a quarter of it")
	optIn := flags.String("opt-in", "20", "percent of owners who let outcomes be reported")
	fails := flags.String("fail-share", "0.5", "percent of handsets on which no new build works")
	flags.BoolVar(&o.Cold, "cold", false, "no handset has seen the tree: the first poll of each is a full walk, as when a release was just opened")
	flags.BoolVar(&o.Reconnect, "reconnect", false, "each poll makes a connection of its own, as without a CDN; else connections are kept")
	flags.IntVar(&o.InFlight, "in-flight", 4096, "polls that may be under way; more are not sent, and counted as errors")
	flags.DurationVar(&o.Timeout, "timeout", 10*time.Second, "of one request")
	flags.DurationVar(&o.Goal, "p99", 250*time.Millisecond, "what 99 of 100 requests should stay under; 0: no goal")
	flags.Uint64Var(&o.Seed, "seed", 1, "of arrivals, owners and positions")
	flags.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	var f loadFiles
	flags.StringVar(&f.token, "token-file", "", "with --server: token of an operator, who may see counts")
	flags.StringVar(&f.root, "root", "", "with --server: 1.root.json, that handsets leave the factory with")
	flags.StringVar(&f.batch, "batch", "", "with --server and --opt-in: CA of a factory batch, certificate and key, as `batch new` writes it")
	flags.StringVar(&f.product, "product", "phone", "with --server: the product")
	flags.StringVar(&f.model, "model", "redmi-1s", "with --server: the model that handsets are")
	flags.StringVar(&f.region, "region", "", "with --server: their region")
	flags.StringVar(&f.channel, "channel", "stable", "with --server: their channel")
	flags.Uint64Var(&f.running, "running", 0, "with --server: the build that they run, below those on offer")
	mine := flags.Bool("i-own-these-servers", false, "load servers that are not on this machine: only your own, and only if nobody depends on them")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "Usage: go run ./scripts/fleet load [flags]\n\nThe server of a run takes votes from keys of any age and shows counts at once (votes: {minKeyAge: 0s, showEvery: 0s}).\n\n")
		flags.PrintDefaults()
	}
	flags.SetOutput(os.Stdout)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	var errs []error
	errs = append(errs, part("opt-in", *optIn, &o.OptIn), part("fail-share", *fails, &o.FailShare), o.check())
	if *servers != "" {
		errs = append(errs, o.remote(strings.Split(*servers, ","), *mine), f.read(&o.Options))
	}
	return o, errors.Join(errs...)
}

// part reads one number of percent.
func part(name, text string, into *float64) error {
	list, err := percents(name, text)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("--%s takes one number", name)
	}
	if err == nil {
		*into = list[0]
	}
	return err
}

func (o *loadOptions) check() error {
	for flag, wrong := range map[string]bool{
		"--handsets: 1 to 1,000,000":   o.Handsets < 1 || o.Handsets > maxLoadHandsets,
		"--rate: above 0, to 100,000":  !(o.Rate > 0 && o.Rate <= maxLoadRate),
		"--duration: 1s to 1h":         o.Duration < time.Second || o.Duration > maxLoadFor,
		"--in-flight: 1 to 16,000":     o.InFlight < 1 || o.InFlight > maxInFlight,
		"--timeout: 100ms to 2m":       o.Timeout < 100*time.Millisecond || o.Timeout > 2*time.Minute,
		"--p99: 0 or more, at most 1m": o.Goal < 0 || o.Goal > time.Minute,
	} {
		if wrong {
			return errors.New(flag)
		}
	}
	return nil
}

// remote takes the addresses of servers: of this machine, unless somebody says
// that the others are his.
func (o *loadOptions) remote(list []string, mine bool) error {
	for _, s := range list {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil {
			return fmt.Errorf("--server: %q is no http or https address", s)
		}
		ip := net.ParseIP(u.Hostname())
		if here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback(); !here && !mine {
			return fmt.Errorf("--server: %s is not this machine; a load is an attack on servers that are not yours: say --i-own-these-servers if it is", u.Host)
		}
		o.Servers = append(o.Servers, strings.TrimSuffix(u.String(), "/"))
	}
	return nil
}

// loadFiles are the flags that tell of somebody's own server.
type loadFiles struct {
	token, root, batch, product, model, region, channel string
	running                                             uint64
}

func (f *loadFiles) read(o *load.Options) error {
	token, err := os.ReadFile(f.token)
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	if o.Root, err = os.ReadFile(f.root); err != nil {
		return fmt.Errorf("--root: %w", err)
	}
	if o.OptIn > 0 {
		if o.Batch, err = readBatch(f.batch); err != nil {
			return fmt.Errorf("--batch, which votes need (or --opt-in 0): %w", err)
		}
	}
	o.Token, o.Running = strings.TrimSpace(string(token)), manifests.Build(f.running)
	if o.Product, err = manifests.ParseProduct(f.product); err != nil {
		return fmt.Errorf("--product: %w", err)
	}
	for text, into := range map[string]*manifests.Name{f.model: &o.Model, f.region: &o.Region, f.channel: &o.Channel} {
		if text == "" {
			continue
		}
		if *into, err = manifests.ParseName(text); err != nil {
			return fmt.Errorf("--model, --region, --channel: %w", err)
		}
	}
	return nil
}

// readBatch reads the CA of a factory batch.
func readBatch(path string) (service.KeyPair, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return service.KeyPair{}, err
	}
	cut := strings.Index(string(data), "-----BEGIN PRIVATE KEY-----")
	if cut < 0 {
		return service.KeyPair{}, fmt.Errorf("%s holds no private key", path)
	}
	return service.KeyPair{Certificate: string(data[:cut]), PrivateKey: string(data[cut:])}, nil
}

// run makes the run and prints its figures.
func (o *loadOptions) run() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(o.Servers) == 0 {
		fmt.Fprintln(os.Stderr, "fleet: bringing up a server with a release that is open to all")
		end, err := o.ownServer(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
	}
	fmt.Fprintf(os.Stderr, "fleet: %d handsets, %g polls a second for %s against %s\n", o.Handsets, o.Rate, o.Duration, strings.Join(o.Servers, ", "))
	rows, err := load.Run(ctx, o.Options)
	if err != nil {
		return err
	}
	if o.asJSON {
		return figure.Report{Name: "load", Machine: figure.Machine(), Rows: rows}.JSON(os.Stdout)
	}
	fmt.Printf("%s\n%s handsets, %g polls a second for %s, %s opted in, %s fail\n\n",
		figure.Machine(), thousands(o.Handsets), o.Rate, o.Duration, percent(o.OptIn), percent(o.FailShare))
	return figure.Table(os.Stdout, rows)
}

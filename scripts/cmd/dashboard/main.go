// Command dashboard builds the dashboard and shows it without a server.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/candor-ota/candor/scripts/storybook"
)

const usage = `Usage: scripts/dashboard COMMAND

  build     build the dashboard into server/dashboard/dist, which the server embeds
  check     check types and components, and run the tests of the modules without a page
  types     generate the types of the API from manifests/api/openapi.yaml
  dev       serve the sources, rebuilt as they change; the API is that of the server at
            CANDOR_SERVER (http://127.0.0.1:8080 if not set); stories are at /-/
  stories   show every page in every state, without a server
              --listen ADDRESS   where, on loopback; 127.0.0.1:0 finds a free port
              --list             print the stories as JSON, and end
  shots DIR look at every story in Chromium as the tests do, and leave pictures in DIR
  screenshots
            take the pictures of README.md anew, from the demo while it runs (Chromium)

Run it in any folder. Node 20.19 or newer is needed; the server itself needs none.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 || os.Args[1] == "--help" || os.Args[1] == "-h" {
		fmt.Print(usage)
		return
	}
	if err := run(ctx, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command string, args []string) error {
	switch command {
	case "shots":
		return shots(ctx, args)
	case "screenshots":
		return screenshots(ctx)
	}
	d, err := storybook.Open(ctx, ".")
	if err != nil {
		return err
	}
	if command != "stories" && len(args) > 0 {
		return fmt.Errorf("%s takes no arguments; see --help", command)
	}
	switch command {
	case "build":
		return d.Build(ctx, "../dist")
	case "check":
		if err := d.Show(ctx, "npm", "run", "--silent", "check"); err != nil {
			return err
		}
		return d.Show(ctx, "npm", "run", "--silent", "test")
	case "types":
		return d.Run(ctx, "npm", "run", "--silent", "types")
	case "dev":
		return d.Show(ctx, "npx", "vite")
	case "stories":
		return stories(ctx, d, args)
	}
	return fmt.Errorf("no command %q; see --help", command)
}

func stories(ctx context.Context, d *storybook.Dashboard, args []string) (err error) {
	flags := flag.NewFlagSet("stories", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:6060", "where to listen, on loopback")
	list := flags.Bool("list", false, "print the stories as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *list {
		all, err := d.Stories(ctx)
		if err != nil {
			return err
		}
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(all)
	}
	dir, err := os.MkdirTemp("", "candor-storybook")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := d.Storybook(ctx, dir); err != nil {
		return err
	}
	return serve(ctx, *listen, dir)
}

func serve(ctx context.Context, address, dir string) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--listen %s: give an address of loopback with a port, such as 127.0.0.1:6060", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/-/\n", l.Addr())
	server := &http.Server{Handler: storybook.Handler(dir), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "dashboard: close:", err)
		}
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

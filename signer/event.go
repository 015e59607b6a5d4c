package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

const eventHelp = `A signing event is a proposal on its way between the people who sign it. It lies on
the server, where everybody finds it by its ID, or in a file that goes by mail
or on a stick; signatures of both kinds meet in any order. Commands take FILE or ID;
an ID may be cut to its first eight digits.

Wherever it comes from, your program checks all of it from the root that you
trust, and shows in words what is signed. The server is a courier: what it says
about an event is never believed.

  event open FILE --server URL       put a proposal where others find it
  event list                         what waits for signatures
  event show ID                      what exactly is signed, old against new
  event sign ID --key NAME           add your signature, or event reject
  event publish ID                   once enough people have signed

For a machine without a network: event export ID --out FILE, carry the file,
event sign FILE there, carry it back, event import FILE.`

func (a *app) eventCommand() *cobra.Command {
	var at cli.Connection
	cmd := cli.Group("event", "Pass proposals on, sign, reject and publish them",
		a.eventOpen(&at), a.eventList(&at), a.eventShow(&at), a.eventSign(&at), a.eventReject(&at), a.eventRemark(&at), a.eventStatus(&at),
		a.eventMerge(), a.eventExport(&at), a.eventImport(&at), a.eventPublish(&at), a.eventRenew(&at))
	cmd.Long = eventHelp
	at.Flags(cmd)
	return cmd
}

// found is a proposal, and where it lies.
type found struct {
	*ceremony.Proposal

	file   string          // empty: on the server
	id     string          // on the server; empty: in a file
	client *operate.Client // for an id
}

// place is the file, or the ID.
func (f *found) place() string {
	if f.file != "" {
		return f.file
	}
	return f.id
}

var eventID = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// find reads the proposal that an argument names: a file, or an ID.
func (a *app) find(ctx context.Context, arg string, at *cli.Connection) (*found, error) {
	_, err := os.Stat(arg)
	switch {
	case err == nil:
		p, err := ceremony.Read(arg)
		return &found{Proposal: p, file: arg}, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !eventID.MatchString(arg):
		return nil, fmt.Errorf("%s: there is no such file, and it is not the ID of an event (8 to 64 hex digits; `event list` shows them)", arg)
	}
	client, err := at.Open()
	if err != nil {
		return nil, err
	}
	id, err := wholeID(ctx, client, arg)
	if err != nil {
		return nil, err
	}
	p, err := fetchEvent(ctx, client, id)
	return &found{Proposal: p, id: id, client: client}, err
}

// wholeID completes an ID that was cut.
func wholeID(ctx context.Context, client *operate.Client, id string) (string, error) {
	const whole = 64
	if len(id) == whole {
		return id, nil
	}
	list, err := client.Events(ctx, "", id, true, nil)
	switch {
	case err != nil:
		return "", err
	case len(list.Events) == 0:
		return "", fmt.Errorf("no event begins with %s; `event list --all` shows them", id)
	case len(list.Events) > 1:
		return "", fmt.Errorf("%d events begin with %s; give more of the ID", len(list.Events), id)
	}
	return list.Events[0].Id, nil
}

// fetchEvent reads a proposal from the server, which may have swapped it.
func fetchEvent(ctx context.Context, client *operate.Client, id string) (*ceremony.Proposal, error) {
	data, err := client.Proposal(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := ceremony.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("event %.12s, as the server gave it: %w", id, err)
	}
	if p.Hash() != id {
		return nil, fmt.Errorf("the server gave another proposal (%.12s) than the one that was asked for (%.12s); do not sign it, and tell whoever runs the server", p.Hash(), id)
	}
	return p, nil
}

func (a *app) eventOpen(at *cli.Connection) *cobra.Command {
	var blobs string
	cmd := &cobra.Command{
		Use:   "open FILE --server URL --token-file FILE [--blobs DIR]",
		Short: "Put a proposal on the server, for others to sign",
		Long: `Put a proposal on the server, with the signatures that it has. Others find it
with "event list". If it lies there already, the server takes what its copy does
not have. With --blobs, what "release build" wrote is uploaded too; it can as
well be when the event is published. After an interruption run it again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, p, err := a.bring(at, args[0])
			if err != nil {
				return err
			}
			if blobs != "" {
				if _, _, err := a.uploadBlobs(cmd.Context(), client, p, blobs); err != nil {
					return err
				}
			}
			v, err := openEvent(cmd.Context(), client, p)
			if err != nil {
				return err
			}
			return a.print(v, eventLines(v)...)
		},
	}
	cmd.Flags().StringVar(&blobs, "blobs", "", "directory that release build wrote")
	return cmd
}

// bring opens the server and a proposal in a file, which is verified first.
func (a *app) bring(at *cli.Connection, file string) (*operate.Client, *ceremony.Proposal, error) {
	client, err := at.Open()
	if err != nil {
		return nil, nil, err
	}
	p, err := ceremony.Read(file)
	if err != nil {
		return nil, nil, err
	}
	_, err = a.accept(p)
	return client, p, err
}

func openEvent(ctx context.Context, client *operate.Client, p *ceremony.Proposal) (api.Event, error) {
	data, err := p.Marshal()
	if err != nil {
		return api.Event{}, err
	}
	return client.OpenEvent(ctx, data)
}

func (a *app) eventImport(at *cli.Connection) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE --server URL --token-file FILE",
		Short: "Bring signatures and rejections in a file back to the server",
		Long: `Bring what was said in a file (signatures, signed rejections) to the event on the
server, which may have got others meanwhile. The server verifies each. What it has
already changes nothing, so after an interruption run it again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, p, err := a.bring(at, args[0])
			if err != nil {
				return err
			}
			said := p.Said()
			if len(said) == 0 {
				return fmt.Errorf("%s: nobody has said anything in it", args[0])
			}
			v, err := client.AddWords(cmd.Context(), p.Hash(), said)
			if err != nil {
				return err
			}
			return a.print(v, eventLines(v)...)
		},
	}
}

func (a *app) eventExport(at *cli.Connection) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export ID --out FILE",
		Short: "Write an event to one file, for a stick or a mail",
		Long: `Write an event to one file that holds all that is needed to judge and sign it
without a network. A file that holds a copy of the same event keeps what it has and
takes what is new.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return cli.Usagef("--out: name the file")
			}
			f, err := a.find(cmd.Context(), args[0], at)
			if err != nil {
				return err
			}
			if f.file != "" {
				return cli.Usagef("%s is a file already; export takes the ID of an event on the server", args[0])
			}
			if _, err := a.accept(f.Proposal); err != nil {
				return err
			}
			p, err := a.joinInto(f.Proposal, out)
			if err != nil {
				return err
			}
			return a.printProposal(out, p)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write")
	return cmd
}

// joinInto writes p to a file, joined with the copy of it that the file may
// hold. A file of anything else stays as it is.
func (a *app) joinInto(p *ceremony.Proposal, path string) (*ceremony.Proposal, error) {
	have, err := ceremony.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p, p.Write(path)
	case err != nil:
		return nil, fmt.Errorf("%w; choose another name with --out", err)
	}
	joined, err := ceremony.Merge(have, p)
	if err != nil {
		return nil, fmt.Errorf("%s holds something else: %w; choose another name with --out", path, err)
	}
	return joined, joined.Write(path)
}

func (a *app) eventMerge() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "merge A B --out C",
		Short: "Join two copies of one proposal that were signed in parallel",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				return cli.Usagef("--out: name the file of the joined proposal")
			}
			first, err := ceremony.Read(args[0])
			if err != nil {
				return err
			}
			second, err := ceremony.Read(args[1])
			if err != nil {
				return err
			}
			merged, err := ceremony.Merge(first, second)
			if err != nil {
				return err
			}
			if !sameFile(out, merged) { // again after an interruption
				if err := a.save(merged, out); err != nil {
					return err
				}
			}
			return a.printProposal(out, merged)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file of the joined proposal")
	return cmd
}

// sameFile tells whether a file holds these very bytes.
func sameFile(path string, p *ceremony.Proposal) bool {
	have, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	want, err := p.Marshal()
	return err == nil && bytes.Equal(have, want)
}

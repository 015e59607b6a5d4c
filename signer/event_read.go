package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (a *app) eventList(at *cli.Connection) *cobra.Command {
	var product string
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the events on the server, the newest first",
		Long: `List the events on the server that wait for signatures or to be published;
with --all also those that are over. What the list says is the server's word:
show and sign check each event for themselves.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := at.Open()
			if err != nil {
				return err
			}
			out := api.EventList{Events: []api.Event{}}
			for before := (*int64)(nil); ; {
				page, err := client.Events(cmd.Context(), product, "", all, before)
				if err != nil {
					return err
				}
				out.Events = append(out.Events, page.Events...)
				if before = page.Next; before == nil {
					break
				}
			}
			lines := []string{}
			for _, v := range out.Events {
				lines = append(lines, a.listLine(v))
			}
			if len(lines) == 0 {
				lines = []string{"no event is open"}
			}
			return a.print(out, lines...)
		},
	}
	cmd.Flags().StringVar(&product, "product", "", "only those about this product")
	cmd.Flags().BoolVar(&all, "all", false, "also those that are published, rejected, superseded or expired")
	return cmd
}

func (a *app) listLine(v api.Event) string {
	line := fmt.Sprintf("%.12s  %-10s  %s", v.Id, ceremony.OneLine(v.State), aboutOf(v))
	for _, r := range v.Roles {
		line += fmt.Sprintf("; %s: %d of %d signed", ceremony.OneLine(r.Role), len(r.Signed), r.Threshold)
	}
	return line + fmt.Sprintf("; opened by %s %s ago", ceremony.OneLine(v.OpenedBy), a.now().Sub(v.Opened).Round(time.Minute))
}

// aboutOf says what an event is about, by the server's word.
func aboutOf(v api.Event) string {
	words := []string{v.Kind}
	if v.Product != nil {
		words = append(words, *v.Product)
	}
	if v.Build != nil {
		words = append(words, fmt.Sprint("build ", *v.Build))
	}
	return ceremony.OneLine(strings.Join(words, " "))
}

// eventLines is an event as the server tells of it.
func eventLines(v api.Event) []string {
	lines := []string{
		"event:       " + v.Id,
		"fingerprint: " + ceremony.OneLine(v.Words),
		"about:       " + aboutOf(v),
		fmt.Sprintf("state:       %s; %s", ceremony.OneLine(v.State), ceremony.OneLine(strings.ReplaceAll(v.Sentence, " ID", " "+v.Id[:min(12, len(v.Id))]))),
	}
	for _, r := range v.Roles {
		line := fmt.Sprintf("%s version %d: %d of %d signatures", ceremony.OneLine(r.Role), r.Version, len(r.Signed), r.Threshold)
		if len(r.Signed) > 0 {
			line += " (" + ceremony.OneLine(strings.Join(r.Signed, ", ")) + ")"
		}
		if !r.Complete {
			line += "; may sign: " + ceremony.OneLine(strings.Join(r.Waiting, ", "))
		}
		lines = append(lines, line)
	}
	for _, r := range v.Rejections {
		if !r.TakenBack {
			lines = append(lines, fmt.Sprintf("REJECTED by %s at %s: %s", ceremony.OneLine(r.Holder), ceremony.OneLine(r.At), ceremony.OneLine(r.Reason)))
		}
	}
	for _, r := range v.Remarks {
		what := "says"
		if r.Reject {
			what = "rejects"
		}
		lines = append(lines, fmt.Sprintf("without a key, %s %s: %s", ceremony.OneLine(r.By), what, ceremony.OneLine(r.Text)))
	}
	return lines
}

func (a *app) eventStatus(at *cli.Connection) *cobra.Command {
	return &cobra.Command{
		Use:   "status FILE|ID",
		Short: "Tell who has signed or rejected, and who still may sign",
		Long: `Tell who has signed or rejected, and who still may sign. Signatures are verified
here; for an event on the server, its state and the remarks of people without a key
are the server's word.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := a.find(cmd.Context(), args[0], at)
			if err != nil {
				return err
			}
			return a.printFound(cmd.Context(), f)
		},
	}
}

// statusInfo is a proposal and what the server says of it.
type statusInfo struct {
	proposalInfo
	Event *api.Event `json:"event,omitempty"` // for one on the server
}

// printFound prints how far a proposal is.
func (a *app) printFound(ctx context.Context, f *found) error {
	if f.file != "" {
		return a.printProposal(f.file, f.Proposal)
	}
	v, err := f.client.Event(ctx, f.id)
	if err != nil {
		return err
	}
	return a.print(statusInfo{infoOfProposal(f.id, f.Proposal), &v}, eventLines(v)...)
}

// shownEvent is an event in words as --json prints it.
type shownEvent struct {
	proposalInfo
	Trusted bool     `json:"trusted"` // it descends from the root that this key directory trusts
	Lines   []string `json:"lines"`
}

func (a *app) eventShow(at *cli.Connection) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE|ID",
		Short: "Show exactly what is signed, old against new",
		Long: `Show exactly what a signature under the proposal means: each thing that changes,
as it was and as it will be, and in one line what stays. It is what "event sign"
shows before it asks.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := a.find(cmd.Context(), args[0], at)
			if err != nil {
				return err
			}
			trusted, lines := true, []string{}
			if _, err := a.accept(f.Proposal); cli.StatusOf(err) == cli.Usage || errors.Is(err, fs.ErrNotExist) {
				trusted = false
				lines = append(lines, "NOT CHECKED AGAINST A ROOT: you trust none yet (--root names one); anybody can have made this")
			} else if err != nil {
				return err
			}
			lines = append(lines, f.Describe(a.now())...)
			lines = append(lines, "fingerprint: "+f.Words())
			return a.print(shownEvent{infoOfProposal(f.place(), f.Proposal), trusted, lines}, lines...)
		},
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/spf13/cobra"
)

// proposalInfo is a proposal as --json prints it.
type proposalInfo struct {
	Proposal     string                `json:"proposal"` // file
	Kind         ceremony.Kind         `json:"kind"`
	Product      manifests.Product     `json:"product,omitempty"`
	Build        manifests.Build       `json:"build,omitempty"`
	SHA256       string                `json:"sha256"`
	Words        string                `json:"words"`
	Roles        []ceremony.RoleStatus `json:"roles"`
	Complete     bool                  `json:"complete"`
	WithoutImage []string              `json:"withoutImage"` // who signed a release without an own image
}

func infoOfProposal(path string, p *ceremony.Proposal) proposalInfo {
	return proposalInfo{
		Proposal: path, Kind: p.Kind, Product: p.Product, Build: p.Build, SHA256: p.Hash(), Words: p.Words(),
		Roles: p.Status(), Complete: p.Complete() == nil, WithoutImage: p.Unseen(),
	}
}

func (i proposalInfo) lines() []string {
	lines := []string{"proposal:    " + i.Proposal, "fingerprint: " + i.Words}
	for _, r := range i.Roles {
		line := fmt.Sprintf("%s version %d: %d of %d signatures", r.Role, r.Version, len(r.Signed), r.Threshold)
		if len(r.Signed) > 0 {
			line += " (" + strings.Join(r.Signed, ", ") + ")"
		}
		if !r.Complete {
			line += "; may sign: " + strings.Join(r.Waiting, ", ")
		}
		lines = append(lines, line)
		for _, words := range r.Missing {
			lines = append(lines, "  still needed: "+words)
		}
	}
	for _, name := range i.WithoutImage {
		lines = append(lines, "signed without own image: "+name)
	}
	if i.Complete {
		return append(lines, "complete: hand it to the server with `submit`")
	}
	return append(lines, "not complete: pass the file on to the next person")
}

// save writes a new proposal; a file that exists may hold signatures and stays.
func (a *app) save(p *ceremony.Proposal, path string) error {
	if err := refuseExisting(path); err != nil {
		return err
	}
	return p.Write(path)
}

func refuseExisting(path string) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s exists already and may hold signatures; choose another name with --out", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (a *app) printProposal(path string, p *ceremony.Proposal) error {
	info := infoOfProposal(path, p)
	return a.print(info, info.lines()...)
}

// stateFlags say where the metadata in force is read from.
type stateFlags struct{ dir, server, proposal string }

func (f *stateFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "from-dir", "", "published tree in this directory")
	cmd.Flags().StringVar(&f.server, "server", "", "address of the server that publishes")
	cmd.Flags().StringVar(&f.proposal, "from-proposal", "", "finished proposal that is to be published first")
}

func (a *app) load(ctx context.Context, f stateFlags) (*ceremony.State, error) {
	given := 0
	for _, s := range []string{f.dir, f.server, f.proposal} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return nil, usagef("give one of --server, --from-dir and --from-proposal: where the metadata in force is")
	}
	anchor, err := a.anchor()
	if err != nil {
		return nil, err
	}
	if f.proposal != "" {
		p, err := ceremony.Read(f.proposal)
		if err != nil {
			return nil, err
		}
		if err := p.TrustedBy(anchor); err != nil {
			return nil, err
		}
		return ceremony.FromProposal(p)
	}
	src, err := source(f.dir, f.server)
	if err != nil {
		return nil, err
	}
	return ceremony.Load(ctx, src, anchor, a.now())
}

func source(dir, server string) (ceremony.Source, error) {
	if server != "" {
		return ceremony.Server(server)
	}
	return ceremony.Dir(dir)
}

func (a *app) proposalCommand() *cobra.Command {
	return group("proposal", "Look at proposals and join their copies", a.proposalStatus(), a.proposalMerge())
}

func (a *app) proposalStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status PROPOSAL",
		Short: "Tell who has signed and who still may",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := ceremony.Read(args[0])
			if err != nil {
				return err
			}
			return a.printProposal(args[0], p)
		},
	}
}

func (a *app) proposalMerge() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "merge A B --out C",
		Short: "Join two copies of one proposal that were signed in parallel",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				return usagef("--out: name the file of the joined proposal")
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
			if err := a.save(merged, out); err != nil {
				return err
			}
			return a.printProposal(out, merged)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file of the joined proposal")
	return cmd
}

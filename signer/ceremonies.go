package main

import (
	"context"
	"strings"

	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

// proposing are the flags of a command that makes a proposal.
type proposing struct {
	from stateFlags
	out  string
	sign []string
	yes  bool
}

func (f *proposing) register(cmd *cobra.Command, out string) {
	f.from.register(cmd)
	cmd.Flags().StringVar(&f.out, "out", out, "file of the proposal")
	cmd.Flags().StringArrayVar(&f.sign, "sign", nil, "sign at once with this key of your key directory; may be repeated")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "with --sign: do not ask to type the fingerprint")
}

// propose makes a proposal from the metadata in force, saves and shows it.
func (a *app) propose(cmd *cobra.Command, f proposing, make func(*ceremony.State) (*ceremony.Proposal, error)) error {
	state, err := a.load(cmd.Context(), f.from)
	if err != nil {
		return err
	}
	p, err := make(state)
	if err != nil {
		return err
	}
	return a.saveAndSign(cmd.Context(), p, f.out, f.sign, f.yes)
}

// saveAndSign writes a new proposal, signs it with local keys if asked to, and
// prints how far it is.
func (a *app) saveAndSign(ctx context.Context, p *ceremony.Proposal, path string, keys []string, yes bool) error {
	if err := a.save(p, path); err != nil {
		return err
	}
	for _, key := range keys {
		if err := a.signFile(ctx, path, p, signFlags{key: key, yes: yes}); err != nil {
			return err
		}
	}
	return a.printProposal(path, p)
}

// people are the flags that say who joins a role, leaves it or is replaced.
type people struct {
	add, remove, replace []string
	threshold            int
}

func (p *people) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&p.add, "add", nil, "public file of somebody who joins; may be repeated")
	cmd.Flags().StringArrayVar(&p.remove, "remove", nil, "name of somebody who leaves, as the role has it, or the beginning of the key id; may be repeated")
	cmd.Flags().StringArrayVar(&p.replace, "replace", nil, "NAME=FILE: another key for somebody, or somebody else in the place; may be repeated")
	cmd.Flags().IntVar(&p.threshold, "threshold", 0, "how many must sign from now on (default: as many as before)")
}

func (p *people) read() (ceremony.PeopleChange, error) {
	out := ceremony.PeopleChange{Remove: p.remove, Threshold: p.threshold}
	var err error
	if out.Add, err = readPublics(p.add); err != nil {
		return out, err
	}
	for _, r := range p.replace {
		i := strings.LastIndex(r, "=") // a file name seldom has one, a person never
		if i < 1 {
			return out, cli.Usagef("--replace %q: give it as NAME=FILE", r)
		}
		k, err := keyring.ReadPublic(r[i+1:])
		if err != nil {
			return out, err
		}
		out.Replace = append(out.Replace, ceremony.Replacement{Old: r[:i], New: k})
	}
	return out, nil
}

func readPublics(files []string) ([]keyring.Public, error) {
	var keys []keyring.Public
	for _, f := range files {
		k, err := keyring.ReadPublic(f)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func orElse(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

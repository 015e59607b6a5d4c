package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/votes"
)

func (a *app) batchCommand() *cobra.Command {
	group := &cobra.Command{Use: "batch", Short: "Batches of factory credentials"}
	group.AddCommand(a.batchNew(), a.batchIssue(), a.batchRevoke())
	return group
}

const defaultDailyCap = 2000

func (a *app) batchNew() *cobra.Command {
	var lab bool
	var dailyCap int
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a batch and its CA",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, name, err := a.batch(args[0])
			if err != nil {
				return err
			}
			if dailyCap < 1 {
				return usagef("--daily-cap: at least 1")
			}
			ca, err := votes.NewBatchCA(rand.Reader, name, a.now())
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				now := a.now().UTC().Truncate(time.Second)
				if err := config.WriteNew(d.Batch(name), []byte(ca.Certificate+ca.PrivateKey)); err != nil {
					return fmt.Errorf("batch %s: %w", name, err)
				}
				b := store.Batch{Name: name, CA: ca.Certificate, Lab: lab, DailyCap: dailyCap, Created: now}
				e := store.Entry{At: now, Who: who(), What: "batch.new", Subject: string(name)}
				if err := l.AddBatch(cmd.Context(), b, e); err != nil {
					return fmt.Errorf("batch %s: %w", name, err)
				}
				return a.print(map[string]any{"batch": name, "ca": d.Batch(name), "lab": lab}, "made batch "+string(name)+"; its CA is "+d.Batch(name))
			})
		},
	}
	cmd.Flags().BoolVar(&lab, "lab", false, "lab handsets: they report by name")
	cmd.Flags().IntVar(&dailyCap, "daily-cap", defaultDailyCap, "enrolments per day")
	return cmd
}

func (a *app) batch(text string) (config.Dir, manifests.Name, error) {
	d, err := a.dir()
	if err != nil {
		return "", "", err
	}
	name, err := manifests.ParseName(text)
	if err != nil {
		return "", "", usageError{err}
	}
	return d, name, nil
}

func (a *app) batchIssue() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "issue NAME -o FILE",
		Short: "Make the credential of one handset: certificate and private key in PEM",
		Args:  exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, name, err := a.batch(args[0])
			if err != nil {
				return err
			}
			if out == "" {
				return usagef("-o is needed: the file to write")
			}
			data, err := os.ReadFile(d.Batch(name))
			if err != nil {
				return fmt.Errorf("batch %s: %w; make it with `batch new`", name, err)
			}
			cut := strings.Index(string(data), "-----BEGIN PRIVATE KEY-----")
			if cut < 0 {
				return fmt.Errorf("batch %s: %s holds no private key", name, d.Batch(name))
			}
			ca := votes.KeyPair{Certificate: string(data[:cut]), PrivateKey: string(data[cut:])}
			cred, err := votes.IssueCredential(rand.Reader, ca)
			if err != nil {
				return fmt.Errorf("batch %s: %w", name, err)
			}
			if err := config.WriteNew(out, []byte(cred.Certificate+cred.PrivateKey)); err != nil {
				return fmt.Errorf("credential: %w", err)
			}
			return a.print(map[string]string{"batch": string(name), "credential": out}, "wrote "+out)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write, which must not exist")
	return cmd
}

func (a *app) batchRevoke() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "revoke NAME --reason TEXT",
		Short: "Take no more enrolments and give no more tokens to a batch",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, name, err := a.batch(args[0])
			if err != nil {
				return err
			}
			if strings.TrimSpace(reason) == "" {
				return usagef("--reason is needed; the audit log keeps it")
			}
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				e := store.Entry{At: a.now().UTC().Truncate(time.Second), Who: who(), What: "batch.revoke", Subject: string(name), Why: reason}
				if err := l.RevokeBatch(cmd.Context(), name, e); err != nil {
					return fmt.Errorf("revoke batch: %w", err)
				}
				return a.print(map[string]string{"revoked": string(name)}, "revoked "+string(name))
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

func (a *app) voteKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "vote-keys PRODUCT BUILD",
		Short: "Print the public vote keys of a build, for its engineers to sign",
		Args:  exactly(2),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := a.dir()
			if err != nil {
				return err
			}
			product, err := manifests.ParseProduct(args[0])
			if err != nil {
				return usageError{err}
			}
			build, err := manifests.ParseBuild(args[1])
			if err != nil {
				return usageError{err}
			}
			master, err := d.LoadMaster()
			if err != nil {
				return err
			}
			primary, spare, err := master.Rules(vote.Ref{Product: product, Build: build})
			if err != nil {
				return err
			}
			out := map[string]any{"product": product, "build": build, "primary": primary, "spare": spare}
			text, err := json.MarshalIndent(out, "", "  ")
			if err != nil {
				return err
			}
			return a.print(out, string(text))
		},
	}
}

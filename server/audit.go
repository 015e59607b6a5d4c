package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/server/store"
)

func (a *app) auditCommand() *cobra.Command {
	group := &cobra.Command{Use: "audit", Short: "The log of every change"}
	group.AddCommand(a.auditVerify(), a.auditExport())
	return group
}

// noted is a head that somebody wrote down earlier; zero parts ask nothing.
type noted struct {
	at    audit.Head // the entry of this number has this hash
	hash  manifests.SHA256
	words string
	found bool
}

func readNoted(head, at string) (n noted, err error) {
	if at != "" {
		if n.at, err = audit.ParseHead(at); err != nil {
			return n, err
		}
	}
	switch {
	case head == "":
		n.found = true
	case strings.ContainsRune(strings.TrimSpace(head), ' '):
		n.words = head
	default:
		n.hash, err = manifests.ParseSHA256(head)
	}
	return n, err
}

// look compares an entry with what was noted.
func (n *noted) look(e audit.Entry) error {
	if n.words != "" {
		n.found = n.found || manifests.SameWords(n.words, e.Hash.Words())
	} else if !n.hash.IsZero() {
		n.found = n.found || e.Hash == n.hash
	}
	if e.Seq == n.at.Seq && e.Hash != n.at.Hash {
		return &audit.Broken{Seq: e.Seq, What: fmt.Sprintf("has hash %s, but %s was noted: the log was written anew", e.Hash, n.at.Hash)}
	}
	return nil
}

// settle judges what was never met.
func (n *noted) settle(c audit.Chain) error {
	switch {
	case n.at.Seq > c.Head.Seq:
		return &audit.Broken{Seq: c.Head.Seq + 1, What: fmt.Sprintf("is missing, and all up to %d, which was noted: the end was cut off", n.at.Seq)}
	case n.at.Seq != 0 && n.at.Seq < c.First:
		return fmt.Errorf("audit log: entry %d was noted, but what was read begins with entry %d", n.at.Seq, c.First)
	case !n.found:
		return fmt.Errorf("audit log: none of the entries %d to %d has the noted head: the end was cut off, or the log written anew", c.First, c.Head.Seq)
	}
	return nil
}

// walk is a source of entries: the ledger or an export.
type walk func(f func(audit.Entry) error) error

func (a *app) auditVerify() *cobra.Command {
	var file, head, at string
	var gaps bool
	cmd := &cobra.Command{
		Use:   "verify --data DIR | --file EXPORT [--gaps]  [--head HASH|WORDS] [--at SEQ:HASH]",
		Short: "Walk the chain and name the first entry that does not fit",
		Long: "Walks the whole log, or an export of any part of it, and names the first entry that was changed, removed, moved or slipped in.\n" +
			"That the end was cut off shows only against a head noted earlier: keep what this prints somewhere else, and pass it as --at or --head.",
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := readNoted(head, at)
			if err != nil {
				return usageError{err}
			}
			if file == "" {
				if gaps {
					return usagef("--gaps is for exports of one subject; the log itself has none")
				}
				return a.withLedger(cmd.Context(), func(l store.Ledger) error {
					return a.verify(audit.Chain{Whole: true}, n, func(f func(audit.Entry) error) error {
						return l.Walk(cmd.Context(), math.MinInt64, f)
					})
				})
			}
			f, err := os.Open(file)
			if err != nil {
				return fmt.Errorf("audit export: %w", err)
			}
			err = a.verify(audit.Chain{Gaps: gaps}, n, func(each func(audit.Entry) error) error { return readExport(f, each) })
			return errors.Join(err, f.Close())
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "verify an export instead of the ledger")
	cmd.Flags().BoolVar(&gaps, "gaps", false, "the export leaves entries out, as one with --subject does; what is missing cannot be judged")
	cmd.Flags().StringVar(&head, "head", "", "a head noted earlier, in hex or in words: it must still be there")
	cmd.Flags().StringVar(&at, "at", "", "the same with its number, SEQ:HASH")
	return cmd
}

func (a *app) verify(c audit.Chain, n noted, entries walk) error {
	err := entries(func(e audit.Entry) error {
		if err := c.Add(e); err != nil {
			return err
		}
		return n.look(e)
	})
	if err == nil {
		err = n.settle(c)
	}
	if err != nil {
		return err
	}
	text := "the log is empty"
	if c.Count > 0 {
		text = fmt.Sprintf("%d entries, %d to %d, whole", c.Count, c.First, c.Head.Seq)
		if c.Missing > 0 {
			text = fmt.Sprintf("%d entries, %d to %d, each whole; %d between them were left out", c.Count, c.First, c.Head.Seq, c.Missing)
		}
		text += fmt.Sprintf("\nhead: %s\nin words: %s", c.Head, c.Head.Hash.Words())
	}
	return a.print(map[string]any{
		"entries": c.Count, "first": c.First, "last": c.Head.Seq, "missing": c.Missing,
		"head": c.Head.Hash, "at": c.Head.String(), "words": c.Head.Hash.Words(),
	}, text)
}

func readExport(r io.Reader, each func(audit.Entry) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), audit.MaxLine)
	number := 0
	for lines.Scan() {
		number++
		e, err := audit.Parse(lines.Bytes())
		if err == nil {
			err = each(e)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	if number == 0 {
		return errors.New("audit export: there is nothing in it")
	}
	return nil
}

func (a *app) auditExport() *cobra.Command {
	var after int64
	var subject, since string
	cmd := &cobra.Command{
		Use:   "export --data DIR [--after N] [--since TIME] [--subject S]",
		Short: "Print the log as JSON lines that `audit verify --file` verifies",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var from manifests.Time
			if since != "" {
				if err := from.UnmarshalText([]byte(since)); err != nil {
					return usageError{err}
				}
			}
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				return a.export(cmd.Context(), l, after, from.Time, subject)
			})
		},
	}
	cmd.Flags().Int64Var(&after, "after", 0, "leave out everything up to this number")
	cmd.Flags().StringVar(&since, "since", "", "begin with the first entry that is not older, such as 2026-03-01T00:00:00Z")
	cmd.Flags().StringVar(&subject, "subject", "", "only what was done to this, such as a rollout's id; verify it with --gaps")
	return cmd
}

func (a *app) export(ctx context.Context, l store.Audit, after int64, since time.Time, subject string) error {
	out := bufio.NewWriter(a.out)
	begun := since.IsZero()
	err := l.Walk(ctx, after, func(e store.Entry) error {
		// From the first that is not older on, all: a clock that went back
		// leaves no gap.
		begun = begun || !e.At.Before(since)
		if !begun || subject != "" && e.Subject != subject {
			return nil
		}
		line, err := e.Line()
		if err != nil {
			return err
		}
		_, err = out.Write(line)
		return err
	})
	return errors.Join(err, out.Flush())
}

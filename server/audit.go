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

// exported is which part of the log to print.
type exported struct {
	store.EntryQuery
	since, until string
}

func (a *app) auditExport() *cobra.Command {
	var part exported
	cmd := &cobra.Command{
		Use:   "export --data DIR [--after N] [--before N] [--since TIME] [--until TIME] [--who NAME] [--what KIND] [--subject S]",
		Short: "Print the log as JSON lines that `audit verify --file` verifies",
		Long: "Prints the log, the oldest entry first, as JSON lines that `audit verify --file` verifies. The filters are those of GET /v1/audit/export, in any combination.\n" +
			"An export by --who, --what or --subject leaves entries out: verify it with --gaps.",
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			since, until, err := part.times()
			if err != nil {
				return usageError{err}
			}
			if part.After < 0 || part.Before < 0 {
				return usagef("--after and --before are numbers of entries, which begin with 1")
			}
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				return a.export(cmd.Context(), l, part.EntryQuery, since, until)
			})
		},
	}
	cmd.Flags().Int64Var(&part.After, "after", 0, "leave out everything up to this number")
	cmd.Flags().Int64Var(&part.Before, "before", 0, "leave out this number and what follows; 0 leaves out nothing")
	cmd.Flags().StringVar(&part.since, "since", "", "begin with the first entry that is not older, such as 2026-03-01T00:00:00Z")
	cmd.Flags().StringVar(&part.until, "until", "", "end with the last entry that is not newer")
	cmd.Flags().StringVar(&part.Who, "who", "", "only what somebody did whose name has this in it, in any case of letters")
	cmd.Flags().StringVar(&part.What, "what", "", "only what begins so, such as rollout. or auth.sign-in")
	cmd.Flags().StringVar(&part.Subject, "subject", "", "only what was done to this, such as a rollout's id")
	return cmd
}

// times reads since and until; zero is no bound.
func (p exported) times() (since, until time.Time, err error) {
	for _, bound := range []struct {
		flag, text string
		at         *time.Time
	}{{"--since", p.since, &since}, {"--until", p.until, &until}} {
		if bound.text == "" {
			continue
		}
		var at manifests.Time
		if err := at.UnmarshalText([]byte(bound.text)); err != nil {
			return since, until, fmt.Errorf("%s: %w", bound.flag, err)
		}
		*bound.at = at.Time
	}
	return since, until, nil
}

// export prints page by page: no long read holds up the server that writes.
func (a *app) export(ctx context.Context, l store.Audit, q store.EntryQuery, since, until time.Time) error {
	if !since.IsZero() || !until.IsZero() {
		// By number: a clock that went back leaves no gap.
		first, last, err := l.AuditBetween(ctx, since, until)
		if err != nil {
			return err
		}
		q.After = max(q.After, first-1)
		if q.Before == 0 || q.Before > last {
			q.Before = last + 1
		}
	}
	q.Limit = 500
	out := bufio.NewWriter(a.out)
	for {
		list, failed := l.Entries(ctx, q)
		for _, e := range list { // also those before one that cannot be read
			line, err := e.Line()
			if err == nil {
				_, err = out.Write(line)
			}
			if err != nil {
				return errors.Join(err, out.Flush())
			}
			q.After = e.Seq
		}
		if failed != nil || len(list) < q.Limit {
			return errors.Join(failed, out.Flush())
		}
	}
}

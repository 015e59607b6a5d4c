package main

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/incident"
)

var writeRunbooks = flag.Bool("write", false, "write the runbooks of README.md anew: go test ./signer -run TestReadmeLeads -args -write")

const (
	runbooksBegin = "<!-- incidents: written by go test ./signer -run TestReadmeLeads -args -write -->\n"
	runbooksEnd   = "<!-- /incidents -->\n"
)

// example is the system that README.md tells of.
func example() *ceremony.Situation {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	people := func(role string, version int64, life int, names ...string) ceremony.Held {
		h := ceremony.Held{Role: role, Version: version, Expires: now.AddDate(0, 0, life), Threshold: min(2, len(names)), Holders: []ceremony.Holder{}}
		for _, n := range names {
			id := manifests.SumSHA256([]byte(role + n)).String()
			h.Holders = append(h.Holders, ceremony.Holder{Name: n, KeyID: id})
		}
		return h
	}
	s := &ceremony.Situation{Now: now, Root: people("root", 1, 300, "Alice Chen", "Bob Wu", "Carol Lin"), Since: 1, Issued: new(now.Add(-time.Hour))}
	s.Targets = new(people("targets", 2, 300, "Alice Chen", "Bob Wu", "Carol Lin"))
	for _, role := range []string{"timestamp", "snapshot", "rollouts"} {
		s.Service = append(s.Service, people(role, 70, 2, "the service ("+role+")"))
	}
	f := ceremony.InForce{Product: "phone", Held: people("releases-phone", 4, 100, "Dora Fang", "Emil Zhou"), NextBy: now.AddDate(0, 0, 40)}
	f.Held.SignedBy = f.Held.Names()
	for _, b := range []manifests.Build{42, 43} {
		f.Live = append(f.Live, manifests.Release{Build: b, Version: "8." + b.String(), Compatible: manifests.Compatible{Models: []manifests.Name{"redmi-1s"}, MinBuild: 40}})
	}
	f.Rollouts = []rollout.Rollout{{ID: "r-7f3a", Build: 43, State: rollout.Active, Share: 200_000}}
	s.Products = []ceremony.InForce{f}
	return s
}

// examples are the cases of README.md.
func examples(t *testing.T) []*incident.Plan {
	t.Helper()
	var out []*incident.Plan
	for _, c := range []incident.Case{
		{Kind: incident.OnlineKey},
		{Kind: incident.EngineerKey, Gone: []string{"Emil Zhou"}},
		{Kind: incident.RootKey, Gone: []string{"Carol Lin"}},
		{Kind: incident.BadRelease, Build: 43},
		{Kind: incident.ServerOwned},
	} {
		c.Server = "https://updates.example"
		p, err := incident.Make(example(), c)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// README.md leads in the same words as the command, so it cannot go stale.
func TestReadmeLeadsAsTheCommandDoes(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	begin, rest, ok := strings.Cut(string(text), runbooksBegin)
	shown, end, closed := strings.Cut(rest, runbooksEnd)
	if !ok || !closed {
		t.Fatalf("README.md has no place for the runbooks: %q to %q", runbooksBegin, runbooksEnd)
	}
	var want strings.Builder
	for _, p := range examples(t) {
		want.WriteString(p.Markdown() + "\n")
	}
	if *writeRunbooks {
		if err := os.WriteFile("README.md", []byte(begin+runbooksBegin+want.String()+runbooksEnd+end), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if shown != want.String() {
		t.Error("the runbooks of README.md are not what the command prints; write them with -args -write")
	}
}

// Every line that a plan tells people to copy is a command that there is, with
// flags that it has.
func TestIncidentCommandsExist(t *testing.T) {
	plans := examples(t)
	for _, c := range []incident.Case{
		{Kind: incident.EngineerKey, Gone: []string{"Emil Zhou", "Dora Fang"}, Build: 43},
		{Kind: incident.EngineerKey, Gone: []string{"Emil Zhou", "Dora Fang"}},
		{Kind: incident.RootKey, Gone: []string{"Carol Lin", "Bob Wu"}},
		{Kind: incident.BadRelease, Build: 42, From: "--from-dir tree"},
		{Kind: incident.OnlineKey, Check: true},
	} {
		p, err := incident.Make(example(), c)
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	lines := 0
	for _, p := range plans {
		commandExists(t, afterQuotes(p.Check))
		for _, s := range p.Steps {
			for _, c := range s.Commands {
				if line := afterQuotes(c.Line); strings.HasPrefix(c.Line, "candor-signer ") {
					commandExists(t, line)
					lines++
				}
			}
		}
	}
	if lines < 40 {
		t.Errorf("only %d commands", lines)
	}
}

// afterQuotes is a line as a program sees it, with names in one word, build
// numbers for their placeholders, and without the file that output goes to.
func afterQuotes(line string) string {
	line, _, _ = strings.Cut(line, " > ")
	var out strings.Builder
	for i, part := range strings.Split(strings.TrimPrefix(line, "candor-signer "), `"`) {
		if i%2 == 1 {
			part = strings.ReplaceAll(part, " ", "_")
		}
		out.WriteString(part)
	}
	return strings.NewReplacer(" BUILD", " 43").Replace(out.String())
}

// A case that lacks something is told what to give; one that cannot be repaired
// is told so.
func TestIncidentSaysWhatItCannotDo(t *testing.T) {
	for want, c := range map[string]incident.Case{
		"Give --gone NAME":                 {Kind: incident.EngineerKey},
		"whose engineers are Dora Fang":    {Kind: incident.EngineerKey, Gone: []string{"Carol Lin"}},
		"which build is bad":               {Kind: incident.BadRelease},
		"build 44 of phone is not live":    {Kind: incident.BadRelease, Build: 44},
		"does not hold root":               {Kind: incident.RootKey, Gone: []string{"Dora Fang"}},
		"give --product: one of phone":     {Kind: incident.BadRelease, Product: "watch", Build: 43},
		`"fire" is none of [online-key en`: {Kind: "fire"},
	} {
		if _, err := incident.Make(example(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, expected %q", c, err, want)
		}
	}
	p, err := incident.Make(example(), incident.Case{Kind: incident.RootKey, Gone: []string{"Alice Chen", "Carol Lin"}})
	if err != nil || !strings.Contains(p.Title, "can ever be signed again") {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, s := range p.Steps {
		for _, c := range s.Commands {
			if strings.Contains(c.Line, "root people") {
				t.Errorf("it tells to sign a root that nobody can sign: %s", c.Line)
			}
		}
	}
}

// Which steps are done is read off what is published.
func TestIncidentChecksTheTree(t *testing.T) {
	s := example()
	stolen := []string{s.Service[0].Holders[0].KeyID[:16]}
	state := func(c incident.Case, title string) incident.State {
		c.Check = true
		p, err := incident.Make(s, c)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Steps, func(s incident.Step) bool { return strings.Contains(s.Title, title) })
		if i < 0 {
			t.Fatalf("no step %q", title)
		}
		return p.Steps[i].State
	}
	online, bad := incident.Case{Kind: incident.OnlineKey, Gone: stolen}, incident.Case{Kind: incident.BadRelease, Build: 43}
	for _, want := range []incident.State{incident.Open, incident.Done} {
		if got := state(online, "Root holders"); got != want {
			t.Errorf("new keys: %s, expected %s", got, want)
		}
		for _, title := range []string{"Halt", "Withdraw", "higher build"} {
			if got := state(bad, title); got != want {
				t.Errorf("%s: %s, expected %s", title, got, want)
			}
		}
		s.Service[0].Holders[0].KeyID = manifests.SumSHA256([]byte("new")).String()
		f := &s.Products[0]
		f.Live[1].Build, f.Rollouts[0].State = 44, rollout.Halted
		f.Rollouts = append(f.Rollouts, rollout.Rollout{ID: "r-2", Build: 44, State: rollout.Active, Share: 10})
	}
}

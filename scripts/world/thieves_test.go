package world_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var (
	writeTable = flag.Bool("write", false, "write the table of thieves anew: go test ./scripts/world -run TestThiefTable -args -write")
	someGoals  = flag.String("goals", "", "only these goals of thieves, by name and comma")
)

const (
	goldenFile  = "testdata/thieves.txt"
	readme      = "../../server/README.md"
	tableBegins = "<!-- thieves: written by go test ./scripts/world -run TestThiefTable -args -write -->\n"
	tableEnds   = "<!-- /thieves -->\n"
)

// AMENDMENTS A4: real handsets against every combination of what can be stolen.
// No cell may get worse than what is committed, and people read what happened.
func TestThiefTable(t *testing.T) {
	all := make([]outcomes, len(goals))
	wanted := func(g *goal) bool { return *someGoals == "" || slices.Contains(strings.Split(*someGoals, ","), g.name) }
	t.Run("goals", func(t *testing.T) {
		for i, g := range goals {
			if !wanted(g) {
				continue
			}
			t.Run(g.name, func(t *testing.T) {
				t.Parallel()
				all[i] = g.outcomes(t, newStreets(t))
			})
		}
	})
	if t.Failed() {
		return
	}
	if *writeTable {
		write(t, all)
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := parseGolden(string(text))
	if err != nil {
		t.Fatalf("%s: %v", goldenFile, err)
	}
	for i, g := range goals {
		if wanted(g) {
			compare(t, g, &committed[i], &all[i])
		}
	}
	if *someGoals == "" && !t.Failed() && table(all) != shown(t) {
		t.Errorf("%s shows another table; write it with -args -write", readme)
	}
}

// compare names the least thefts that reach more, or less, than was committed.
func compare(t *testing.T, g *goal, committed, fresh *outcomes) {
	t.Helper()
	for reach, words := range g.reaches {
		for _, theft := range fresh.least(reach) {
			if committed[theft]&(1<<reach) == 0 {
				t.Errorf("WORSE: whoever steals %s now gets this far (%s): %s", theft, g.name, words)
			}
		}
		for _, theft := range committed.least(reach) {
			if fresh[theft]&(1<<reach) == 0 {
				t.Errorf("better: the theft of %s no longer suffices (%s): %s; write the table with -args -write", theft, g.name, words)
			}
		}
	}
}

func write(t *testing.T, all []outcomes) {
	t.Helper()
	if *someGoals != "" {
		t.Fatal("-write needs all goals")
	}
	begin, end := section(t)
	if err := os.MkdirAll(filepath.Dir(goldenFile), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{goldenFile: golden(all), readme: begin + table(all) + end} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// section gives the server's page before and after the table.
func section(t *testing.T) (begin, end string) {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	begin, rest, ok := strings.Cut(string(text), tableBegins)
	_, end, closed := strings.Cut(rest, tableEnds)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table: %q to %q", readme, tableBegins, tableEnds)
	}
	return begin + tableBegins, tableEnds + end
}

func shown(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := section(t)
	return strings.TrimSuffix(strings.TrimPrefix(string(text), begin), end)
}

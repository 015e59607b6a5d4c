package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
)

// logged makes a data directory whose audit log has n entries.
func logged(t *testing.T, n int) string {
	t.Helper()
	dir := made(t)
	l, err := sqlite.Open(context.Background(), config.Dir(dir).Ledger())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := store.Entry{
			At: time.Unix(1_800_000_000+int64(i)*60, 0), Who: "ana", What: "rollout.halt", Subject: fmt.Sprint("r", i%3), Why: "boot <loops>",
			Detail: json.RawMessage(`{ "stage": 1 }`),
		}
		if _, err := l.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tamper changes the real file, as a thief of it would.
func tamper(t *testing.T, dir, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", config.Dir(dir).Ledger())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

type verified struct {
	Entries, First, Last, Missing int64
	Head, At, Words               string
}

func verify(t *testing.T, args ...string) (verified, error) {
	t.Helper()
	var v verified
	out, err := command(t, append([]string{"audit", "verify", "--json"}, args...)...)
	if err == nil {
		err = json.Unmarshal([]byte(out), &v)
	}
	return v, err
}

func TestAuditVerifyNamesTheFirstBrokenRow(t *testing.T) {
	log, err := os.ReadFile(config.Dir(logged(t, 1200)).Ledger())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sql string
		row int64
	}{
		"change":       {`UPDATE audit SET why = 'nothing' WHERE seq = 7`, 7},
		"change time":  {`UPDATE audit SET at = at + 1 WHERE seq = 1`, 1},
		"change bytes": {`UPDATE audit SET detail = '{"stage":1}' WHERE seq = 7`, 7},
		"delete":       {`DELETE FROM audit WHERE seq = 7`, 7},
		"delete first": {`DELETE FROM audit WHERE seq = 1`, 1},
		"delete page":  {`DELETE FROM audit WHERE seq BETWEEN 400 AND 1100`, 400},
		"insert":       {`UPDATE audit SET seq = -seq WHERE seq > 7; INSERT INTO audit SELECT 8, at, 'eve', what, subject, why, detail, prev, hash FROM audit WHERE seq = 7; UPDATE audit SET seq = 1 - seq WHERE seq < 0`, 8},
		"insert below": {`INSERT INTO audit SELECT 0, at, who, what, subject, why, detail, prev, hash FROM audit WHERE seq = 7`, 0},
		"insert above": {`INSERT INTO audit SELECT 99999, at, who, what, subject, why, detail, prev, hash FROM audit WHERE seq = 7`, 1201},
		"swap":         {`UPDATE audit SET seq = -1 WHERE seq = 7; UPDATE audit SET seq = 7 WHERE seq = 9; UPDATE audit SET seq = 9 WHERE seq = -1`, 7},
		"truncate":     {`DELETE FROM audit WHERE seq > 700`, 701},
		"empty":        {`DELETE FROM audit`, 1},
		"not a hash":   {`UPDATE audit SET hash = x'00' WHERE seq = 7`, 7},
		"not a time":   {`UPDATE audit SET at = 'noon' WHERE seq = 7; UPDATE audit SET why = '' WHERE seq = 8`, 7},
	} {
		t.Run(name, func(t *testing.T) {
			dir := made(t)
			if err := os.WriteFile(config.Dir(dir).Ledger(), log, 0o600); err != nil {
				t.Fatal(err)
			}
			whole, err := verify(t, "--data", dir)
			if err != nil || whole.Entries != 1200 || whole.First != 1 || whole.Last != 1200 || len(strings.Fields(whole.Words)) != 8 {
				t.Fatalf("%+v, %v", whole, err)
			}
			tamper(t, dir, c.sql)
			_, err = verify(t, "--data", dir, "--at", whole.At)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("entry %d ", c.row)) && !strings.Contains(err.Error(), fmt.Sprintf("entry %d:", c.row)) {
				t.Errorf("%v; want row %d", err, c.row)
			}
		})
	}
}

func TestTruncatedLogIsNoticedByItsNotedHead(t *testing.T) {
	dir := logged(t, 9)
	then, err := verify(t, "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	tamper(t, dir, `DELETE FROM audit WHERE seq > 6`)
	if _, err := verify(t, "--data", dir); err != nil {
		t.Fatalf("a cut is invisible without a noted head, but: %v", err)
	}
	for _, note := range [][]string{{"--head", then.Head}, {"--head", strings.ToUpper(then.Words)}, {"--at", then.At}} {
		if _, err := verify(t, append(note, "--data", dir)...); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("%v: %v", note, err)
		}
	}
	now, err := verify(t, "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range [][]string{{"--head", now.Head}, {"--head", now.Words}, {"--at", now.At}} {
		if _, err := verify(t, append(note, "--data", dir)...); err != nil {
			t.Errorf("%v: %v", note, err)
		}
	}
	wrong := fmt.Sprintf("4:%s", now.Head)
	if _, err := verify(t, "--data", dir, "--at", wrong); err == nil || !strings.Contains(err.Error(), "entry 4") {
		t.Errorf("another hash at entry 4: %v", err)
	}
}

func export(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := command(t, append([]string{"audit", "export", "--data", dir}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "export.jsonl")
	if err := os.WriteFile(name, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestExportVerifiesByItself(t *testing.T) {
	dir := logged(t, 30)
	minute := func(n int64) string { return time.Unix(1_800_000_000+n*60, 0).UTC().Format(time.RFC3339) }
	for _, c := range []struct {
		args, verify         []string
		first, last, entries int64
	}{
		{nil, nil, 1, 30, 30},
		{[]string{"--after", "12"}, nil, 13, 30, 18},
		{[]string{"--since", minute(20)}, nil, 21, 30, 10},
		{[]string{"--until", minute(9)}, nil, 1, 10, 10},
		{[]string{"--since", minute(20), "--until", minute(21)}, nil, 21, 22, 2},
		{[]string{"--after", "12", "--before", "20"}, nil, 13, 19, 7},
		{[]string{"--after", "5", "--since", minute(2), "--before", "8", "--until", minute(25)}, nil, 6, 7, 2},
		{[]string{"--subject", "r1"}, []string{"--gaps"}, 2, 29, 10},
		{[]string{"--who", "ANA"}, []string{"--gaps"}, 1, 30, 30},
		{[]string{"--what", "rollout.", "--who", "an", "--subject", "r1", "--until", minute(9)}, []string{"--gaps"}, 2, 8, 3},
	} {
		got, err := verify(t, append(c.verify, "--file", export(t, dir, c.args...))...)
		if err != nil || got.First != c.first || got.Last != c.last || got.Entries != c.entries {
			t.Errorf("%v: %+v, %v", c.args, got, err)
		}
	}
	if _, err := verify(t, "--file", export(t, dir, "--subject", "r1")); err == nil {
		t.Error("gaps passed without being asked for")
	}
	for _, args := range [][]string{{"--who", "bo"}, {"--what", "people."}, {"--until", minute(-1)}, {"--since", minute(30)}, {"--since", minute(9), "--until", minute(8)}} {
		if out, err := os.ReadFile(export(t, dir, args...)); err != nil || len(out) > 0 {
			t.Errorf("%v: %q, %v", args, out, err)
		}
	}
	for _, args := range [][]string{{"--since", "yesterday"}, {"--until", "2026"}, {"--before", "-1"}} {
		if _, err := command(t, append([]string{"audit", "export", "--data", dir}, args...)...); err == nil {
			t.Errorf("%v passed", args)
		}
	}
	name := export(t, dir)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), `"seq":9,"at":"2027`, `"seq":9,"at":"2026`, 1)
	if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t, "--file", name); err == nil || !strings.Contains(err.Error(), "entry 9 ") {
		t.Errorf("a changed export: %v", err)
	}
}

// What is printed does not end with a page of the ledger, and names the entry
// that cannot be read.
func TestExportGoesOnToTheEndOrSaysWhereItBroke(t *testing.T) {
	dir := logged(t, 1201)
	got, err := verify(t, "--file", export(t, dir))
	if err != nil || got.Entries != 1201 || got.Last != 1201 {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = verify(t, "--gaps", "--file", export(t, dir, "--what", "rollout.halt", "--after", "100"))
	if err != nil || got.Entries != 1101 || got.First != 101 || got.Last != 1201 {
		t.Errorf("%+v, %v", got, err)
	}
	tamper(t, dir, `UPDATE audit SET hash = x'00' WHERE seq = 700`)
	out, err := command(t, "audit", "export", "--data", dir)
	if err == nil || strings.Count(out, "\n") != 699 {
		t.Errorf("%d lines, %v", strings.Count(out, "\n"), err)
	}
}

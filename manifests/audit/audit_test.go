package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func log(n int) []audit.Entry {
	var out []audit.Entry
	var prev manifests.SHA256
	for i := range n {
		e := audit.Entry{
			At: epoch.Add(time.Duration(i) * time.Minute), Who: "ana", What: "rollout.halt", Subject: fmt.Sprint("r", i%2), Why: "boot <loops> & \u2028 more",
			Detail: json.RawMessage(`{"stage":1,"html":"<&>"}`), Seq: int64(i + 1), Prev: prev,
		}
		e.Hash = e.Sum()
		prev, out = e.Hash, append(out, e)
	}
	return out
}

func check(c audit.Chain, entries []audit.Entry) (audit.Chain, error) {
	for _, e := range entries {
		if err := c.Add(e); err != nil {
			return c, err
		}
	}
	return c, nil
}

func TestExportKeepsEveryByteThatIsHashed(t *testing.T) {
	for _, detail := range []string{"", `{}`, `{"a":"<&>\u2028"}`, `{ "spaced": 1 }`, "{\n}", `{"a":1.50,"a":2}`, `"text"`} {
		e := log(1)[0]
		e.Detail = nil
		if detail != "" {
			e.Detail = json.RawMessage(detail)
		}
		e.Hash = e.Sum()
		line, err := e.Line()
		if err != nil || strings.Count(string(line), "\n") != 1 {
			t.Fatalf("%q, %v", line, err)
		}
		back, err := audit.Parse(line)
		if err != nil || !reflect.DeepEqual(back, e) || back.Sum() != e.Hash {
			t.Errorf("%s came back as %+v, %v", line, back, err)
		}
	}
}

func TestEveryTamperingIsNamed(t *testing.T) {
	rehash := func(e *audit.Entry) { e.Hash = e.Sum() }
	for name, c := range map[string]struct {
		tamper func([]audit.Entry) []audit.Entry
		row    int64
	}{
		"changed":            {func(l []audit.Entry) []audit.Entry { l[4].Why = "no reason"; return l }, 5},
		"changed and hashed": {func(l []audit.Entry) []audit.Entry { l[4].Who = "eve"; rehash(&l[4]); return l }, 6},
		"deleted":            {func(l []audit.Entry) []audit.Entry { return slices.Delete(l, 4, 5) }, 5},
		"first deleted":      {func(l []audit.Entry) []audit.Entry { return l[1:] }, 1},
		"inserted twice":     {func(l []audit.Entry) []audit.Entry { return slices.Insert(l, 4, l[3]) }, 4},
		"inserted before": {func(l []audit.Entry) []audit.Entry {
			e := l[0]
			e.Seq = -3
			rehash(&e)
			return append([]audit.Entry{e}, l...)
		}, -3},
		"swapped": {func(l []audit.Entry) []audit.Entry { l[4], l[6] = l[6], l[4]; l[4].Seq, l[6].Seq = 5, 7; return l }, 5},
		"moved":   {func(l []audit.Entry) []audit.Entry { l[4], l[6] = l[6], l[4]; return l }, 5},
		"renumbered": {func(l []audit.Entry) []audit.Entry {
			l = slices.Delete(l, 4, 5)
			for i := range l {
				l[i].Seq = int64(i + 1)
			}
			return l
		}, 5},
		"first made the root": {func(l []audit.Entry) []audit.Entry { l[0].Prev = manifests.SHA256{1}; rehash(&l[0]); return l }, 1},
	} {
		_, err := check(audit.Chain{Whole: true}, c.tamper(log(10)))
		var broken *audit.Broken
		if !errors.As(err, &broken) || broken.Seq != c.row {
			t.Errorf("%s: %v; want row %d", name, err, c.row)
		}
	}
}

func TestPartsVerifyByThemselves(t *testing.T) {
	all := log(10)
	whole, err := check(audit.Chain{Whole: true}, all)
	if err != nil || whole.Count != 10 || whole.Head.Hash != all[9].Hash {
		t.Errorf("%+v, %v", whole, err)
	}
	part, err := check(audit.Chain{}, all[3:7])
	if err != nil || part.First != 4 || part.Head.Seq != 7 || part.Missing != 0 {
		t.Errorf("%+v, %v", part, err)
	}
	gaps := []audit.Entry{all[1], all[3], all[4], all[9]}
	if c, err := check(audit.Chain{Gaps: true}, gaps); err != nil || c.Missing != 5 || c.First != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	gaps[2].Prev = manifests.SHA256{}
	gaps[2].Hash = gaps[2].Sum()
	if _, err := check(audit.Chain{Gaps: true}, gaps); err == nil {
		t.Error("neighbours in an export with gaps were not held together")
	}
	if _, err := check(audit.Chain{Whole: true}, all[3:7]); err == nil {
		t.Error("a part passed for the whole")
	}
}

func TestHeadsAreReadBack(t *testing.T) {
	h := audit.Head{Seq: 12, Hash: manifests.SumSHA256(nil)}
	if back, err := audit.ParseHead(h.String()); err != nil || back != h {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", "12", "0:" + h.Hash.String(), "x:" + h.Hash.String(), "12:abc"} {
		if _, err := audit.ParseHead(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, e := range log(2) {
		line, err := e.Line()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"seq":1,"detail":{},"detailText":"x"}`))
	f.Add([]byte(`{"seq":1}{"seq":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := audit.Parse(data)
		if err != nil {
			return
		}
		again, err := e.Line()
		if err != nil {
			return // a time beyond what can be written
		}
		back, err := audit.Parse(again)
		if err != nil || back.Sum() != e.Sum() {
			t.Errorf("%q and %q differ: %v", data, again, err)
		}
	})
}

package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func bundle() *evidence.Bundle {
	e := audit.Entry{
		At: noon, Who: "ana", What: "rollout.halt", Subject: "43-abc", Why: "bricks <&> \u202e\u2028", Seq: 7,
		Prev: manifests.SumSHA256([]byte("before")), Detail: json.RawMessage(`{"z":1.50,"a":{"a":1}}`),
	}
	e.Hash = e.Sum()
	return &evidence.Bundle{
		Spec: evidence.Spec, ID: "43-abc", Product: "phone", Build: 43, Made: manifests.At(noon), ApprovalShare: 100_000,
		Rollout: api.Rollout{
			Id: "43-abc", Product: "phone", Build: 43, State: "halted", SharePPM: 10_000, Created: noon, Changed: noon, Version: 3,
			Stages: []api.Stage{{SharePPM: 10_000, Soak: "1d"}}, Approvals: []api.Approval{}, BreakGlass: []api.BreakGlass{},
			Plan: api.Plan{
				"product": "phone", "build": 43, "channel": "stable", "kind": "normal", "deferral": "7d", "spread": "30m",
				"stages": []any{map[string]any{"sharePPM": 10_000, "soak": "1d"}},
				"budget": map[string]any{"maxHarmed": 1_000_000, "fleet": 99_000_000},
			},
		},
		Counts: verdict.Counts{Trials: 9, Healthy: 4, RolledBack: 5, Reasons: map[vote.Reason]int64{"boot_loop": 5}},
		Files:  map[string][]byte{"metadata/timestamp.json": []byte("{}"), "targets/releases/phone/00.43.json": {0, 255}},
		Rows:   []evidence.Row{{Entry: e}},
		Head:   evidence.Head{Seq: 7, Hash: e.Hash},
	}
}

func encode(t *testing.T, b *evidence.Bundle) []byte {
	t.Helper()
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBundleComesBackAsItWas(t *testing.T) {
	data := encode(t, bundle())
	b, err := evidence.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if again := encode(t, b); !bytes.Equal(again, data) {
		t.Errorf("%s\nbecame\n%s", data, again)
	}
	want := bundle()
	if !reflect.DeepEqual(b.Rows, want.Rows) || !reflect.DeepEqual(b.Files, want.Files) || !reflect.DeepEqual(b.Counts, want.Counts) {
		t.Errorf("%+v is not %+v", b, want)
	}
	if b.Rows[0].Sum() != b.Rows[0].Hash {
		t.Error("a row lost bytes that are hashed")
	}
}

func TestBundleHasOneForm(t *testing.T) {
	data := string(encode(t, bundle()))
	for name, other := range map[string]string{
		"white space":        strings.Replace(data, `"id":`, `"id": `, 1),
		"no line feed":       strings.TrimSuffix(data, "\n"),
		"more after it":      data + "{}",
		"two of a field":     strings.Replace(data, `"build":43,`, `"build":44,"build":43,`, 1),
		"a name in capitals": strings.Replace(data, `"made":`, `"Made":`, 1),
		"an unknown field":   strings.Replace(data, `"made":`, `"note":"","made":`, 1),
		"a missing field":    strings.Replace(data, `"approvalSharePPM":100000,`, ``, 1),
		"another order":      strings.Replace(data, `"id":"43-abc","product":"phone"`, `"product":"phone","id":"43-abc"`, 1),
		"a row in spaces":    strings.Replace(data, `"{\"seq\":7`, `"{ \"seq\":7`, 1),
		"base64 in lines":    strings.Replace(data, `"AP8="`, `"AP\n8="`, 1),
		"null":               strings.Replace(data, `"rows":[`, `"rows":null,"rows":[`, 1),
		"invalid UTF-8":      strings.Replace(data, "ana", "\xffna", 1),
	} {
		if other == data {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := evidence.Parse([]byte(other)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestUnknownFieldIsNamed(t *testing.T) {
	data := strings.Replace(string(encode(t, bundle())), `"made":`, `"colour":"red","made":`, 1)
	if _, err := evidence.Parse([]byte(data)); err == nil || !strings.Contains(err.Error(), `"colour"`) {
		t.Error(err)
	}
}

func TestMalformedBundleRefused(t *testing.T) {
	for field, spoil := range map[string]func(*evidence.Bundle){
		"spec":                       func(b *evidence.Bundle) { b.Spec = "candor-evidence-v2" },
		"rollout.id":                 func(b *evidence.Bundle) { b.Rollout.Id = "44-abc" },
		"rollout.build":              func(b *evidence.Bundle) { b.Rollout.Build = 44 },
		"approvalSharePPM":           func(b *evidence.Bundle) { b.ApprovalShare = 1_000_001 },
		"rows":                       func(b *evidence.Bundle) { b.Rows = nil },
		"files":                      func(b *evidence.Bundle) { b.Files["../keys"] = []byte("x") },
		"rollout.plan":               func(b *evidence.Bundle) { b.Rollout.Plan["stages"] = []any{} },
		"rollout.plan.build":         func(b *evidence.Bundle) { b.Rollout.Plan["build"] = 44 },
		"rollout.stage":              func(b *evidence.Bundle) { b.Rollout.Stage = 1 },
		"rollout.stages":             func(b *evidence.Bundle) { b.Rollout.Stages = nil },
		"rollout.stages[0].sharePPM": func(b *evidence.Bundle) { b.Rollout.Stages[0].SharePPM = 1 },
	} {
		b := bundle()
		spoil(b)
		if _, err := b.Encode(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("field %q", field)) {
			t.Errorf("%s: %v", field, err)
		}
	}
	b := bundle()
	b.Files["metadata/1.root.json"] = make([]byte, 1<<20)
	if _, err := b.Encode(); err == nil {
		t.Error("a file beyond all bounds was taken")
	}
	if _, err := evidence.Parse(make([]byte, evidence.MaxBytes+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("too many bytes: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	data, err := bundle().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"spec":"candor-evidence-v1"}`))
	f.Add(bytes.Replace(data, []byte("stages"), []byte("Stages"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := evidence.Parse(data)
		if err != nil {
			return
		}
		if again, err := b.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q became %q, %v", data, again, err)
		}
	})
}

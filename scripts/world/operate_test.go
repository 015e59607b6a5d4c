package world_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/scripts/world"
)

// operator runs the signer's rollout commands as one person.
type operator struct {
	t     *testing.T
	w     *world.World
	token string // file
}

// run gives standard output; the exit status must be the one expected.
func (o operator) run(status int, args ...string) string {
	o.t.Helper()
	out, err := o.w.Exec(ctx, "signer", append([]string{"rollout", "--server", o.w.Server, "--token-file", o.token}, args...)...)
	got := 0
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		got, out = failed.ExitCode(), []byte(err.Error())
	} else if err != nil {
		o.t.Fatal(err)
	}
	o.t.Logf("rollout %s: %d\n%s", strings.Join(args, " "), got, out)
	if got != status {
		o.t.Fatalf("rollout %s: exit status %d, expected %d: %s", strings.Join(args, " "), got, status, out)
	}
	return string(out)
}

func (o operator) says(status int, want string, args ...string) {
	o.t.Helper()
	if out := o.run(status, args...); !strings.Contains(out, want) {
		o.t.Errorf("rollout %s: %q is not said:\n%s", strings.Join(args, " "), want, out)
	}
}

const driven = `product: phone
build: 43
channel: stable
stages:
  - {sharePPM: 10000, soak: 1d, minVotes: 50}
  - {sharePPM: 1000000, soak: 0s}
kind: normal
deferral: 7d
spread: 30m
`

// A release is driven from plan to evidence with the signer's program alone.
func TestOperatorsDriveARolloutFromPlanToEvidence(t *testing.T) {
	w := start(t)
	manifest, err := world.Example(product, 43, "pace:\n  - {after: 0s, maxSharePPM: 1000000}\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Release(ctx, product, 43, manifest, image(t, "system.img", 1<<20)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"plan.yaml": driven, "second": w.Second + "\n"} {
		if err := os.WriteFile(w.Path(name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ana, ben := operator{t, w, "token"}, operator{t, w, "second"}

	ana.says(0, "held against the release on http", "validate", "plan.yaml")
	ana.says(0, "10,000", "preview", "plan.yaml", "--fleet", "1000000", "--opt-in", "12%", "--handset", "model=redmi-1s,build=41,position=0.7%")
	ana.says(0, "budget: {maxHarmed: 200, fleet: 1000000}", "stages", "--fleet", "1000000", "--max-harmed", "200", "--soak", "24h", "--opt-in", "20%")
	id := strings.TrimSpace(ana.run(0, "create", "plan.yaml"))
	ana.says(0, "draft, stage 1 of 2", "show", id)
	ana.says(0, "edited (version 2)", "edit", id, "plan.yaml", "--if-match", "1")
	ana.says(1, "[stale]", "edit", id, "plan.yaml", "--if-match", "1")
	ana.run(0, "propose", id)
	ana.says(3, "[own-request]", "approve", id)
	ben.run(0, "approve", id)
	ana.says(0, "active, stage 1 of 2, 1 %", "start", id)
	ana.says(0, "active, stage 1 of 2", "watch", id, "--until", "active")
	ana.says(3, "[soaking]", "advance", id, "--reason", "in a hurry")
	ana.says(3, "not there after", "watch", id, "--until", "complete", "--every", "100ms", "--timeout", "300ms")
	ana.says(0, "held", "pause", id, "--reason", "a look at the logs")
	ana.says(0, "active", "resume", id, "--reason", "nothing there")
	ana.says(0, "active, stage 2 of 2, 100 %", "advance", id, "--break-glass", "--reason", "the exploit is public")
	ana.says(0, "halted", "halt", id, "--reason", "bricks")
	ana.says(4, "was halted", "watch", id, "--until", "complete")
	ana.says(3, "somebody else", "resume", id, "--reason", "it was the network")
	ben.says(0, "halted", "reject", id, "--reason", "it was not")
	ana.says(0, "BREAK-GLASS: advance at stage 1", "show", id)
	ana.says(0, "bricks", "timeline", id)
	ana.says(0, "build: 44", "template", id, "--build", "44")
	ana.says(1, "[", "rescue", id, "--build", "44")
	ana.says(0, "no lab reports", "lab", "list", "--product", "phone", "--build", "43")
	ana.says(0, id, "list", "--product", "phone", "--state", "halted")

	ana.run(0, "evidence", id, "-o", "evidence.json")
	ana.says(0, "All that was checked holds.", "evidence", "verify", "evidence.json", "--root", "1.root.json")
	ana.says(1, "does not hold", "evidence", "verify", tampered(t, w, "evidence.json"), "--root", "1.root.json")
	var report struct {
		Holds bool `json:"holds"`
	}
	if err := json.Unmarshal([]byte(ana.run(0, "evidence", "verify", "evidence.json", "--root", "1.root.json", "--json")), &report); err != nil || !report.Holds {
		t.Errorf("%+v, %v", report, err)
	}
}

// tampered hides who halted a rollout, and makes the bundle look whole.
func tampered(t *testing.T, w *world.World, file string) string {
	t.Helper()
	data, err := os.ReadFile(w.Path(file))
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Rows {
		if b.Rows[i].What == "rollout.halt" {
			b.Rows[i].Who = "eve"
		}
	}
	spoilt, err := b.Encode()
	if err != nil || bytes.Equal(spoilt, data) {
		t.Fatalf("nothing was changed: %v", err)
	}
	if err := os.WriteFile(w.Path("tampered.json"), spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	return "tampered.json"
}

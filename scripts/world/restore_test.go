package world_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store/relational"
	"github.com/candor-ota/candor/server/store/sqlite"
)

// until lets phones poll until the counts of a build are as wanted.
func until(t *testing.T, w *world.World, build manifests.Build, what string, wanted func(world.Counts) bool, phones ...*world.Phone) world.Counts {
	t.Helper()
	deadline, tick := time.After(5*time.Minute), time.NewTicker(200*time.Millisecond)
	defer tick.Stop()
	for {
		for _, p := range phones {
			once(t, p)
		}
		c, err := w.Counts(ctx, product, build)
		if err != nil {
			t.Fatal(err)
		}
		if wanted(c) {
			return c
		}
		select {
		case <-tick.C: // reports wait for random moments, and longer after a refusal
		case <-deadline:
			t.Fatalf("%s: the counts are %+v", what, c)
		}
	}
}

func saying(n int) func(world.Counts) bool {
	return func(c world.Counts) bool { return c.Attempts == n && c.Trials == n }
}

// enrolled counts who is enrolled, in a ledger that no server has open.
func enrolled(t *testing.T, w *world.World) (n int) {
	t.Helper()
	l, err := sqlite.Open(ctx, config.Dir(w.Path("data")).Ledger())
	if err != nil {
		t.Fatal(err)
	}
	err = l.View(ctx, func(v *relational.View) error {
		return v.Rows(ctx, relational.Table{Name: "enrolments", Key: []relational.Column{{Name: "device_key"}}}, []string{"device_key"}, nil,
			func(relational.Row) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

func shell(t *testing.T, w *world.World, command string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", command)
	cmd.Dir = w.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// stamped is the version of the timestamp that handsets are shown.
func stamped(t *testing.T, w *world.World) (version int64) {
	t.Helper()
	_, body := ask(t, http.MethodGet, w.Server+"/"+layout.TimestampFile)
	var m struct{ Signed struct{ Version int64 } }
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	return m.Signed.Version
}

// M13, C3: the server and all that it published is lost, after more votes, a
// withdrawal and a release than the backup knows. On a new machine everything
// goes on: no handset sees anything go back, nobody who withdrew is enrolled
// again, and votes count again once the engineers have signed the switch to the
// spare keys, each handset once.
func TestLostServerIsRestoredAndHandsetsGoOn(t *testing.T) {
	w := start(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	release(t, w, 42, atOnce)
	r := openToAll(t, w, 42)
	early, late, waits := accepted(t, phone(t, w, "", true), 42), accepted(t, phone(t, w, "", true), 42), phone(t, w, "", true)
	leaves := phone(t, w, "", true)
	once(t, leaves) // enrols
	until(t, w, 42, "the first vote", saying(1), early)
	once(t, waits) // draws tokens of the first keys, and waits for its owner
	_, err := w.Exec(ctx, "server", "backup", "--data", w.Path("data"), "-o", w.Path("backup"), "--blobs")
	must(err)
	shell(t, w, "mkdir saved && cp -a data/keys data/batches data/config.yaml saved")

	until(t, w, 42, "a vote after the backup", saying(2), late)
	_, err = leaves.Exec(ctx, "consent", "off")
	must(err)
	manifest, err := world.Example(product, 43, atOnce)
	must(err)
	next := image(t, "system.img", 1<<20)
	must(w.SignRelease(ctx, product, 43, manifest, next))
	must(w.SubmitRelease(ctx, product, 43))
	once(t, early) // sees it
	before := stamped(t, w)
	must(w.StopServer(syscall.SIGKILL))

	shell(t, w, "mv data lost && bin/candor-server init --data data && cp -a saved/keys saved/batches saved/config.yaml data")
	out, err := w.Exec(ctx, "server", "restore", w.Path("backup"), "--to", w.Path("data"))
	must(err)
	for _, word := range []string{"candor-signer votes spare", "phone build 42", r.ID, "publish again"} {
		if !strings.Contains(string(out), word) {
			t.Errorf("restore does not say %q: %s", word, out)
		}
	}
	if n := enrolled(t, w); n != 0 {
		t.Errorf("%d enrolments came back", n)
	}
	must(w.NewTokens(ctx))
	must(w.StartServer(ctx))
	if after := stamped(t, w); after <= before {
		t.Errorf("handsets are shown timestamp %d after %d", after, before)
	}
	once(t, late)
	once(t, leaves)
	if _, err := early.Once(ctx); err == nil || !strings.Contains(err.Error(), "older") {
		t.Errorf("a handset that has seen build 43 is taken back to before it: %v", err)
	}
	must(w.SubmitRelease(ctx, product, 43)) // the engineers' word, again
	once(t, early)

	// The rollout goes on by a person's word; votes wait for the engineers'.
	_, err = w.Change(ctx, r.ID, "resume", "looked at it")
	must(err)
	if s := once(t, accepted(t, waits, 42)); s.Build != 42 {
		t.Fatalf("the restored rollout reaches nobody: %+v", s)
	}
	report, err := w.Exec(ctx, "server", "doctor", "--data", w.Path("data"), "--json")
	if err == nil || !strings.Contains(err.Error()+string(report), "exit status 3") {
		t.Errorf("doctor finds nothing to warn of: %s %v", report, err)
	}
	for range 3 {
		once(t, waits)
	}
	until(t, w, 42, "before the switch", saying(0))
	must(w.SpareVotes(ctx, product, 42))
	until(t, w, 42, "a vote that nobody had acknowledged", saying(1), waits)
	fresh := accepted(t, phone(t, w, "", true), 42)
	until(t, w, 42, "a new handset", saying(2), fresh, early, late, waits, leaves)
	for range 5 {
		for _, p := range []*world.Phone{early, late, waits, fresh, leaves} {
			once(t, p)
		}
	}
	until(t, w, 42, "and nobody twice", saying(2))

	manyLog, err := os.ReadFile(w.Path("server.log"))
	must(err)
	if !strings.Contains(string(manyLog), "no handset votes on a release until its engineers sign") {
		t.Error("the log does not say what votes wait for")
	}
	must(w.StopServer(syscall.SIGTERM))
	if n := enrolled(t, w); n > 4 {
		t.Errorf("%d are enrolled; four agree", n)
	}
	if _, err := w.Exec(ctx, "server", "doctor", "--data", w.Path("data")); err != nil && strings.Contains(fmt.Sprint(err), "votes") {
		t.Error(err)
	}
}

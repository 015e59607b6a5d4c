package agent

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/rollout"
)

// newer makes the files of the state what a newer version of the agent would
// have written: each with a field that this one does not know.
func (w *world) newer() {
	w.Helper()
	const field = `{"aNewerOne":{"wrote":["this"]},`
	path := filepath.Join(w.config.State, "memory.json")
	data, err := os.ReadFile(path)
	if err == nil && !bytes.Contains(data, []byte("aNewerOne")) {
		err = os.WriteFile(path, bytes.Replace(data, []byte("{"), []byte(field), 1), 0o600)
	}
	w.must(err)
	j, err := disk.OpenJournal(disk.OS{}, filepath.Join(w.config.State, "journal"))
	w.must(err)
	if j.Record() != nil && !bytes.Contains(j.Record(), []byte("aNewerOne")) {
		w.must(j.Save(bytes.Replace(j.Record(), []byte("{"), []byte(field), 1)))
	}
	for _, slot := range []string{"boot", "a", "b"} {
		path := filepath.Join(filepath.Dir(w.config.State), "slots", slot+".json")
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		w.must(err)
		if !bytes.Contains(data, []byte("aNewerOne")) {
			w.must(os.WriteFile(path, bytes.Replace(data, []byte("{"), []byte(field), 1), 0o600))
		}
	}
}

// A build brings its own agent, whose files have more fields. It fails, and the
// older agent is back: nothing is taken for damage, the failure is remembered,
// the build is not tried again, and the fields are there for the next agent.
func TestOlderAgentGoesOnWithTheFilesOfANewerOne(t *testing.T) {
	w := newWorld(t)
	w.config.Health = [][]string{{"false"}}
	w.offer(42)
	for i := 0; ; i++ {
		w.step()
		w.newer()
		if !w.agent.RestartWanted() {
			break
		}
		w.reboot()
		if i > 8 {
			t.Fatal("the handset restarts for ever")
		}
	}
	w.start()
	w.code(w.step(), rollout.BadTarget)
	w.runs(41)
	if n := w.agent.mem.Failures["42"]; n != 1 {
		t.Errorf("%d failures are remembered", n)
	}
	for _, name := range []string{"state/memory.json", "slots/boot.json"} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(w.config.State), name))
		if err != nil || !strings.Contains(string(data), `"aNewerOne":{"wrote":["this"]}`) {
			t.Errorf("%s: %s, %v", name, data, err)
		}
	}
	if found, err := filepath.Glob(filepath.Join(w.config.State, "*.damaged")); err != nil || found != nil {
		t.Errorf("set aside: %v, %v", found, err)
	}
}

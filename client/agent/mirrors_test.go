package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/disk"
)

func TestOrderOfMirrorsComesFromTheSecretAndStays(t *testing.T) {
	seeds := map[uint64]bool{}
	for range 3 {
		dir := t.TempDir()
		one, err := MirrorSeed(disk.OS{}, dir)
		if err != nil {
			t.Fatal(err)
		}
		two, err := MirrorSeed(disk.OS{}, dir)
		if err != nil || one != two {
			t.Errorf("%d, then %d, %v", one, two, err)
		}
		seeds[one] = true
	}
	if len(seeds) != 3 {
		t.Errorf("three handsets have %d orders", len(seeds))
	}
}

func TestMirrorsAreConfigured(t *testing.T) {
	load := func(text string) (*Config, error) {
		path := filepath.Join(t.TempDir(), "client.yaml")
		text = "product: phone\nmodel: m\nservers: [https://o.test]\nstate: s\nslots: t\n" + text
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadConfig(path)
	}
	c, err := load("mirrors: [https://a.test, https://b.test/tree]\npollMirrors: true\n")
	if err != nil || len(c.Mirrors) != 2 || !c.PollMirrors {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := load("pollMirrors: true\n"); err == nil || !strings.Contains(err.Error(), `"pollMirrors"`) {
		t.Errorf("got %v", err)
	}
}

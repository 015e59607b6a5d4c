package outbox

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/client/disk"
)

func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"type":"about:blank","title":"no","status":409,"code":"already-voted","detail":"x"}`))
	f.Add([]byte(`{"code":"\u202e"}`))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		err := parseProblem(&http.Response{StatusCode: http.StatusConflict, Header: http.Header{}}, body)
		if err == nil || len(err.Error()) > 2048 {
			t.Fatalf("got %v", err)
		}
	})
}

func FuzzCredential(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if chain, key, err := parseCredential(text); err == nil && (chain == "" || key == seed{}) {
			t.Fatal("taken, but empty")
		}
	})
}

func FuzzQueueFile(f *testing.F) {
	f.Add([]byte(`{"entries":[{"product":"phone","build":1,"class":"attempt","primary":"4vKuBgDYhpHh9DMJsyaObPu9kAYSx3sEIVIyoJM5ATA=","set":"primary","state":"waiting"}]}`))
	f.Add([]byte(`{"pause":{"until":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), queueFile)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		o, q := &Outbox{options: Options{Dir: filepath.Dir(path), Disk: disk.OS{}}}, queue{}
		if err := load(disk.OS{}, path, &q, &q.kept); err != nil {
			t.Fatal(err)
		}
		if len(q.Entries) > 0 {
			if err := o.save(queueFile, &q, q.kept); err != nil {
				t.Fatal(err)
			}
		}
	})
}

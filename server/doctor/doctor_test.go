package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/storetest"
)

type noRollouts struct{}

func (noRollouts) Rollouts(context.Context, manifests.Product, map[manifests.Build]rollout.Reference) ([]rollout.Rollout, error) {
	return nil, nil
}

// house is an installation with something published.
type house struct {
	t   *testing.T
	dir config.Dir
	now time.Time
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func installed(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: config.Dir(filepath.Join(t.TempDir(), "data")), now: releasetest.Start.Add(time.Hour)}
	h.must(config.Create(t.Context(), h.dir))
	h.configure("trustedProxies: [127.0.0.1]")
	keys, err := publish.LoadKeys(h.dir.Keys())
	h.must(err)
	ledger, err := sqlite.Open(t.Context(), h.dir.Ledger())
	h.must(err)
	blobs, err := disk.Open(h.dir.Tree())
	h.must(err)
	p, err := publish.Open(t.Context(), publish.Options{
		Ledger: ledger, Blobs: blobs, Keys: keys, Rollouts: noRollouts{}, Now: func() time.Time { return releasetest.Start },
	})
	h.must(err)
	m := releasetest.New(t, keys)
	_, err = p.Submit(t.Context(), func(publish.State) (publish.Submission, error) {
		return releasetest.Join(m.Init(), m.Product(releasetest.Phone)), nil
	})
	h.must(errors.Join(err, ledger.Close(), blobs.Close()))
	return h
}

func (h *house) configure(text string) {
	h.t.Helper()
	h.must(os.WriteFile(h.dir.Config(), []byte(text+"\n"), 0o600))
}

func (h *house) path(name string) string { return filepath.Join(string(h.dir), name) }

func (h *house) examine(peer string) []Finding {
	return Examine(h.t.Context(), Options{Dir: h.dir, Now: func() time.Time { return h.now }, Peer: peer})
}

// finds demands a finding, and that it says what to do unless all is well.
func (h *house) finds(list []Finding, check string, level Level, word string) {
	h.t.Helper()
	for _, f := range list {
		if f.Check == check && f.Level == level && strings.Contains(f.Says, word) {
			if level == Fail && f.Do == "" {
				h.t.Errorf("%s says not what to do", check)
			}
			return
		}
	}
	h.t.Errorf("no finding %s %s %q in %+v", level, check, word, list)
}

func plenty(t *testing.T) {
	t.Helper()
	wasFree, wasLimit := statfs, limit
	statfs = func(string) (free, error) { return free{bytes: 1 << 40, inodes: 1 << 20, allInodes: 1 << 20}, nil }
	limit = func() (uint64, error) { return 1 << 20, nil }
	t.Cleanup(func() { statfs, limit = wasFree, wasLimit })
}

func TestHealthyInstallationHasNothingToSay(t *testing.T) {
	plenty(t)
	h := installed(t)
	list := h.examine("")
	if Worst(list) != OK {
		t.Errorf("%+v", list)
	}
	for _, check := range []string{"configuration", "permissions", "writing", "disk", "descriptors", "ledger", "published", "votes", "leftovers", "keys", "expiry", "clock", "proxy"} {
		h.finds(list, check, OK, "")
	}
}

// A server that runs holds its locks; the doctor needs none of them.
func TestRunningServerIsExamined(t *testing.T) {
	plenty(t)
	h := installed(t)
	lock, err := h.dir.Lock()
	h.must(err)
	ledger, err := sqlite.Open(t.Context(), h.dir.Ledger())
	h.must(err)
	blobs, err := disk.Open(h.dir.Tree())
	h.must(err)
	if list := h.examine(""); Worst(list) != OK {
		t.Errorf("%+v", list)
	}
	h.must(errors.Join(blobs.Close(), ledger.Close(), lock.Close()))
}

// aFile names one immutable file of the tree.
func (h *house) aFile() string {
	h.t.Helper()
	found, err := filepath.Glob(h.path("tree/metadata/*.snapshot.json"))
	h.must(err)
	if len(found) == 0 {
		h.t.Fatal("nothing is published")
	}
	return found[0]
}

func (h *house) sql(statement string) {
	h.t.Helper()
	db, err := sql.Open("sqlite", h.dir.Ledger())
	h.must(err)
	_, err = db.Exec(statement)
	h.must(errors.Join(err, db.Close()))
}

func TestEachThingThatBreaksIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(h *house)
		check  string
		level  Level
		word   string
	}{
		"configuration":      {func(h *house) { h.configure("listen: nowhere") }, "configuration", Fail, "host:port"},
		"mode of a key":      {func(h *house) { h.must(os.Chmod(h.path("keys/snapshot.pem"), 0o644)) }, "permissions", Fail, "snapshot.pem"},
		"mode of the ledger": {func(h *house) { h.must(os.Chmod(h.path("ledger.db"), 0o640)) }, "permissions", Fail, "ledger.db"},
		"no folder to write": {func(h *house) { h.must(os.Remove(h.path("uploads"))) }, "writing", Fail, "cannot be written"},
		"disk nearly full": {func(*house) {
			statfs = func(string) (free, error) { return free{bytes: 200 << 20, inodes: 1 << 20, allInodes: 1 << 20}, nil }
		}, "disk", Warn, "200 MiB"},
		"disk full": {func(*house) {
			statfs = func(string) (free, error) { return free{bytes: 1 << 20, inodes: 1 << 20, allInodes: 1 << 20}, nil }
		}, "disk", Fail, "1 MiB"},
		"no inodes": {func(*house) {
			statfs = func(string) (free, error) { return free{bytes: 1 << 40, inodes: 3, allInodes: 1 << 20}, nil }
		}, "disk", Fail, "3 inodes"},
		"few descriptors": {func(*house) { limit = func() (uint64, error) { return 1024, nil } }, "descriptors", Warn, "1024"},
		"ledger gone":     {func(h *house) { h.must(os.Remove(h.dir.Ledger())) }, "ledger", Fail, "no such file"},
		"ledger is garbage": {func(h *house) {
			h.must(os.WriteFile(h.dir.Ledger(), []byte(strings.Repeat("garbage ", 1000)), 0o600))
		}, "ledger", Fail, "not a database"},
		"ledger of a newer program": {func(h *house) { h.sql(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, 1)`) }, "ledger", Fail, "9000"},
		"ledger of an older program": {func(h *house) {
			h.sql(`DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`)
		}, "ledger", Warn, "brings them to"},
		"ledger that is half moved": {func(h *house) {
			h.sql(`CREATE TABLE filling (source TEXT NOT NULL PRIMARY KEY)`)
			h.sql(`INSERT INTO filling (source) VALUES ('another')`)
		}, "ledger", Fail, "is not whole"},
		"tree gone": {func(h *house) { h.must(os.RemoveAll(h.dir.Tree())) }, "blobs", Fail, "tree"},
		"file gone": {func(h *house) { h.must(os.Remove(h.aFile())) }, "published", Fail, "snapshot.json"},
		"file is another": {func(h *house) {
			data, err := os.ReadFile(h.aFile())
			h.must(err)
			data[len(data)/2] ^= 1
			h.must(os.WriteFile(h.aFile(), data, 0o600))
		}, "published", Fail, "not those that were published"},
		"leftovers": {func(h *house) {
			lost := h.path("tree/blobs/" + strings.Repeat("ab", 32))
			h.must(os.MkdirAll(filepath.Dir(lost), 0o700))
			h.must(os.WriteFile(lost, []byte("nobody's"), 0o600))
			h.must(os.Chtimes(lost, h.now, h.now.Add(-publish.OrphanLife-25*time.Hour)))
		}, "leftovers", Warn, "1 objects of 8 bytes"},
		"timestamp behind": {func(h *house) { h.must(os.WriteFile(h.path("tree/metadata/timestamp.json"), []byte("{}"), 0o600)) }, "published", Fail, layout.TimestampFile},
		"key gone":         {func(h *house) { h.must(os.Remove(h.path("keys/rollouts.pem"))) }, "keys", Fail, "rollouts"},
		"keys of another": {func(h *house) {
			h.must(os.RemoveAll(h.dir.Keys()))
			h.must(os.Mkdir(h.dir.Keys(), 0o700))
			_, err := publish.CreateKeys(h.dir.Keys())
			h.must(err)
		}, "keys", Fail, "not one that the published root trusts"},
		"vote master damaged":  {func(h *house) { h.must(os.WriteFile(h.dir.VoteMaster(), []byte("x"), 0o600)) }, "keys", Fail, "vote master"},
		"timestamp expiring":   {func(h *house) { h.now = h.now.Add(40 * time.Hour) }, "expiry", Warn, "timestamp expires in 7h0m"},
		"timestamp expired":    {func(h *house) { h.now = h.now.Add(50 * time.Hour) }, "expiry", Fail, "timestamp has expired"},
		"clock behind":         {func(h *house) { h.now = h.now.Add(-3 * time.Hour) }, "clock", Fail, "before the newest timestamp was signed"},
		"plain HTTP to all":    {func(h *house) { h.configure("listen: 0.0.0.0:80") }, "proxy", Warn, "plain HTTP"},
		"no proxy is named":    {func(h *house) { h.configure("listen: 127.0.0.1:80") }, "proxy", Warn, "names none"},
		"everybody is a proxy": {func(h *house) { h.configure("trustedProxies: [10.0.0.0/8]") }, "proxy", Warn, "10.0.0.0/8"},
		"certificate expired":  {func(h *house) { h.certificate(-time.Hour) }, "tls", Fail, "expired 1h"},
		"certificate expires":  {func(h *house) { h.certificate(100 * time.Hour) }, "tls", Warn, "4 days"},
		"certificate unknown":  {func(h *house) { h.certificate(1000 * time.Hour) }, "tls", Warn, "does not trust"},
		"certificate damaged": {func(h *house) {
			h.certificate(1000 * time.Hour)
			h.must(os.WriteFile(h.path("key.pem"), []byte("x"), 0o600))
		}, "tls", Fail, "PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			plenty(t)
			h := installed(t)
			c.breaks(h)
			list := h.examine("")
			h.finds(list, c.check, c.level, c.word)
			if Worst(list) == OK {
				t.Error("all is said to be well")
			}
		})
	}
}

// certificate serves TLS with one that has a time left.
func (h *house) certificate(left time.Duration) {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ota.example.org"}, DNSNames: []string{"ota.example.org"},
		NotBefore: h.now.Add(-2000 * time.Hour), NotAfter: h.now.Add(left),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	h.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	h.must(err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		h.must(os.WriteFile(h.path(name), pem.EncodeToMemory(block), 0o600))
	}
	h.configure(fmt.Sprintf("tls: {cert: %q, key: %q}", h.path("cert.pem"), h.path("key.pem")))
}

func TestClockOfAPeerIsCompared(t *testing.T) {
	plenty(t)
	h := installed(t)
	for apart, level := range map[time.Duration]Level{0: OK, 20 * time.Second: Warn, -20 * time.Second: Warn, time.Hour: Fail, -time.Hour: Fail} {
		peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", h.now.Add(apart).UTC().Format(http.TimeFormat))
		}))
		h.finds(h.examine(peer.URL), "clock", level, "apart")
		peer.Close()
		h.finds(h.examine(peer.URL), "clock", Warn, "could not be read")
	}
}

func TestNewInstallationSaysWhatComesNext(t *testing.T) {
	plenty(t)
	h := &house{t: t, dir: config.Dir(filepath.Join(t.TempDir(), "data")), now: time.Now()}
	h.must(config.Create(t.Context(), h.dir))
	h.finds(h.examine(""), "published", Warn, "no root of trust yet")
}

func TestBucketIsExamined(t *testing.T) {
	plenty(t)
	server, h := storetest.StartS3(t), installed(t)
	c := server.Config(t, "bucket")
	for name, text := range map[string]string{"a": c.AccessKey, "s": c.SecretKey} {
		h.must(os.WriteFile(h.path(name), []byte(text), 0o600))
	}
	h.configure(fmt.Sprintf("trustedProxies: [127.0.0.1]\ns3: {endpoint: %q, bucket: bucket, accessKeyFile: %q, secretKeyFile: %q, caFile: %q}", c.Endpoint, h.path("a"), h.path("s"), server.CAFile))
	list := h.examine("")
	h.finds(list, "blobs", OK, "conditional writes")
	h.finds(list, "published", Fail, "not found") // it is in tree/, not in the bucket
	h.must(os.WriteFile(h.path("s"), []byte("another"), 0o600))
	h.finds(h.examine(""), "blobs", Fail, "bucket")
}

type rules struct {
	names []string
	known bool
	err   error
}

func (r rules) Removes(context.Context) ([]string, bool, error) { return r.names, r.known, r.err }

func TestRulesThatRemoveWhatIsPublishedAreFound(t *testing.T) {
	h := &house{t: t}
	for _, c := range []struct {
		bucket any
		level  Level
		word   string
	}{
		{rules{known: true}, OK, "no rule"},
		{rules{known: true, names: []string{"after 30 days"}}, Fail, "after 30 days"},
		{rules{}, Warn, "does not tell"},
		{rules{err: errors.New("503")}, Warn, "503"},
		{nil, Warn, "could not be asked"},
	} {
		v := &visit{}
		v.lifecycle(t.Context(), c.bucket)
		h.finds(v.found, "lifecycle", c.level, c.word)
	}
}

func TestDatabaseThatForgetsIsFound(t *testing.T) {
	plenty(t)
	h, p := installed(t), storetest.StartPostgres(t)
	h.must(os.WriteFile(h.path("password"), []byte(p.Password), 0o600))
	url := p.Database(t)
	use := func(extra string) []Finding {
		h.configure(fmt.Sprintf("trustedProxies: [127.0.0.1]\nledger: {postgres: {url: %q, passwordFile: %q}}", url+extra, h.path("password")))
		return h.examine("")
	}
	h.finds(use("&synchronous_commit=off"), "ledger", Fail, "synchronous_commit is off")
	h.finds(use(""), "ledger", Warn, "version 0")
	f, err := h.dir.Load()
	h.must(err)
	ledger, err := h.dir.OpenLedger(t.Context(), f)
	h.must(err)
	h.must(ledger.Close())
	h.finds(use(""), "ledger", OK, "keeps what it acknowledges")
	h.must(p.Stop())
	h.finds(use(""), "ledger", Fail, "PostgreSQL")
}

// Whoever has two troubles is not told of the second when the first is mended.
func TestLedgerIsExaminedWithoutBlobs(t *testing.T) {
	plenty(t)
	h := installed(t)
	h.must(os.RemoveAll(h.dir.Tree()))
	found := h.examine("")
	h.finds(found, "blobs", Fail, "tree")
	h.finds(found, "ledger", OK, "it can be read")
	h.must(os.Remove(h.dir.Ledger()))
	found = h.examine("")
	h.finds(found, "blobs", Fail, "tree")
	h.finds(found, "ledger", Fail, "no such file")
}

// TestVotesThatWaitForTheirEngineersAreNamed is the state that a restore leaves.
func TestVotesThatWaitForTheirEngineersAreNamed(t *testing.T) {
	plenty(t)
	h := installed(t)
	ledger, err := sqlite.Open(t.Context(), h.dir.Ledger())
	h.must(err)
	ref := vote.Ref{Product: releasetest.Phone, Build: 43}
	line := store.Entry{At: h.now, Who: "li", What: "test"}
	h.must(ledger.AddProduct(t.Context(), store.Product{Name: ref.Product, Created: h.now}, line))
	h.must(ledger.AddRelease(t.Context(), store.Release{Product: ref.Product, Build: ref.Build, State: store.ReleasePublished, Submitted: h.now}, line))
	h.must(ledger.OpenVotes(t.Context(), store.VoteRelease{Ref: ref, Opened: h.now}))
	h.must(ledger.SwitchVotes(t.Context(), ref, vote.Spare, line))
	h.must(ledger.Close())
	list := h.examine("")
	h.finds(list, "votes", Warn, "phone build 43 counts under its spare keys")
	for _, f := range list {
		if f.Check == "votes" && !strings.Contains(f.Do, "candor-signer votes spare phone 43") {
			t.Errorf("it says to %q", f.Do)
		}
	}
}

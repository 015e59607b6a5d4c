package carry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/layout"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

// Target is what a backup is restored into: an empty ledger, and a store of
// blobs that is empty or holds what the same installation has published.
type Target struct {
	Ledger Ledger
	Blobs  store.Blobs
	Keys   publish.Keys
	Now    time.Time
	Who    string // for the audit log
}

// Restored is what a restore came to, and what it changed because a backup has
// forgotten everything that came after it.
type Restored struct {
	Header
	Rows    int64 `json:"rows"`
	Objects int64 `json:"objects"` // files that were put into the store
	// Adopted: the store held what was published after the backup, and it goes
	// on from there.
	Adopted bool       `json:"adopted"`
	Held    []string   `json:"held,omitempty"`    // rollouts that somebody must resume
	Halted  []string   `json:"halted,omitempty"`  // rollouts that were published as halted since
	Spare   []vote.Ref `json:"spare,omitempty"`   // releases that now count under their spare keys
	Closed  []vote.Ref `json:"closed,omitempty"`  // releases whose spare keys were in use already
	Revoked int        `json:"revoked"`           // API tokens
	Missing []string   `json:"missing,omitempty"` // images that releases name and nobody has
	Audit   audit.Head `json:"auditHead"`
}

// Restore writes a backup into an empty ledger, in one transaction after all
// files are in the store, so it can be killed at any point and run again.
func Restore(ctx context.Context, from io.ReadSeeker, t Target) (Restored, error) {
	var out Restored
	known, header, end, err := survey(from)
	if err != nil {
		return out, err
	}
	out.Header = header
	if err := vacant(ctx, t.Ledger); err != nil {
		return out, err
	}
	images := func(key string) bool { return strings.HasPrefix(key, layout.BlobsDir+"/") }
	if out.Objects, err = putObjects(ctx, from, t.Blobs, images); err != nil {
		return out, err
	}
	tree, err := publish.Recover(ctx, known, t.Blobs, t.Keys, t.Now, func() error {
		n, err := putObjects(ctx, from, t.Blobs, func(key string) bool { return !images(key) })
		out.Objects += n
		return err
	})
	if err != nil {
		return out, err
	}
	out.Adopted = tree.Adopted
	filling := &restoring{t: t, tree: tree, tables: end.Tables, report: out}
	err = t.Ledger.Fill(ctx, "restore", func(f *relational.Filling) error { return filling.run(ctx, f, from) })
	if err != nil {
		return out, err
	}
	out = filling.report
	if err := t.Ledger.VerifyAudit(ctx); err != nil {
		return out, err
	}
	out.Missing, err = missingImages(ctx, t.Blobs, tree)
	return out, err
}

// pass reads the file from its beginning.
func pass(from io.ReadSeeker, v visitor) (Header, End, error) {
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return Header{}, End{}, err
	}
	return read(from, v)
}

// survey reads the whole file, so that nothing is written of one that is
// damaged at its end, and gives what it says of the tree and of itself.
func survey(from io.ReadSeeker) (publish.Known, Header, End, error) {
	k := publish.Known{Versions: map[string]int64{}}
	var name string
	var at map[string]int
	header, end, err := pass(from, visitor{
		table: func(table string, columns []string) error { name, at = table, indexes(columns); return nil },
		row: func(r relational.Row) error {
			switch {
			case name == "heads" && has(at, "name", "version", "etag", "document") && r[at["name"]] == publish.TreeHead:
				k.Head = headOf(r, at)
			case name == "role_versions" && has(at, "role", "version"):
				role, _ := r[at["role"]].(string)
				version, _ := r[at["version"]].(int64)
				k.Versions[role] = version
			}
			return nil
		},
	})
	return k, header, end, err
}

func has(at map[string]int, columns ...string) bool {
	for _, c := range columns {
		if _, ok := at[c]; !ok {
			return false
		}
	}
	return true
}

// vacant refuses a ledger that holds anything.
func vacant(ctx context.Context, l Ledger) error {
	if err := Ready(ctx, l); err != nil {
		return err
	}
	return l.Fill(ctx, "restore", func(f *relational.Filling) error { return unoccupied(ctx, f) })
}

func unoccupied(ctx context.Context, f *relational.Filling) error {
	name, err := f.Occupied(ctx)
	if err == nil && name != "" {
		err = fmt.Errorf("the ledger has rows in %s: it %w", name, ErrTaken)
	}
	return err
}

// putObjects puts the objects of a backup that are wanted; what is there
// already stays if it is the same.
func putObjects(ctx context.Context, from io.ReadSeeker, b store.Blobs, wanted func(key string) bool) (n int64, err error) {
	_, _, err = pass(from, visitor{object: func(o store.Object, body io.Reader) error {
		if !wanted(o.Key) {
			return nil
		}
		n++
		return b.Put(ctx, o, body)
	}})
	return n, err
}

// restoring is one restore into a ledger.
type restoring struct {
	t      Target
	tree   publish.Recovered
	tables []Count // of the file, as it was when all of it was verified
	report Restored

	f       *relational.Filling
	table   relational.Table
	columns []string
	at      map[string]int
	rows    []relational.Row
}

// run may be called several times; only the last one counts.
func (r *restoring) run(ctx context.Context, f *relational.Filling, from io.ReadSeeker) error {
	fresh := r.report
	fresh.Rows, fresh.Held, fresh.Halted, fresh.Spare, fresh.Closed, fresh.Revoked = 0, nil, nil, nil, nil, 0
	fresh.Audit = audit.Head{}
	r.report, r.f, r.rows = fresh, f, nil
	if err := unoccupied(ctx, f); err != nil {
		return err
	}
	_, end, err := pass(from, visitor{
		object: func(store.Object, io.Reader) error { return errEnough }, // no table comes after
		table: func(name string, columns []string) error {
			if err := r.flush(ctx); err != nil {
				return err
			}
			r.table, r.columns, r.at = table(name), columns, indexes(columns)
			return nil
		},
		row: func(row relational.Row) error {
			row, err := r.adapt(row)
			if err != nil || row == nil {
				return err
			}
			r.report.Rows++
			if r.rows = append(r.rows, row); len(r.rows) < pageRows {
				return nil
			}
			return r.flush(ctx)
		},
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err == nil && !slices.Equal(end.Tables, r.tables) {
		err = damaged("its tables were changed while it was read")
	}
	if err == nil {
		err = r.flush(ctx)
	}
	if err == nil {
		err = r.number(ctx)
	}
	if err == nil {
		err = r.note(ctx)
	}
	return err
}

func (r *restoring) flush(ctx context.Context) error {
	rows := r.rows
	r.rows = nil
	if len(rows) == 0 {
		return nil
	}
	return r.f.Insert(ctx, r.table, r.columns, rows)
}

// adapt changes what must not come back as it was; nil leaves the row out.
func (r *restoring) adapt(row relational.Row) (relational.Row, error) {
	need := map[string][]string{
		"tokens": {"revoked_at"}, "vote_releases": {"product", "build", "secret", "active_set", "closed_at"},
		"rollouts": {"id", "product", "state", "document", "version", "updated_at"}, "heads": {"name", "version", "etag", "document"},
		"audit": {"seq", "hash"},
	}[r.table.Name]
	if !has(r.at, need...) {
		return nil, damaged("table %s lacks a column", r.table.Name)
	}
	switch r.table.Name {
	case "role_versions":
		return nil, nil // number writes them
	case "tokens":
		if row[r.at["revoked_at"]] == int64(0) {
			row[r.at["revoked_at"]] = r.t.Now.Unix()
			r.report.Revoked++
		}
	case "heads":
		if row[r.at["name"]] == publish.TreeHead {
			h := r.tree.Head
			row[r.at["version"]], row[r.at["etag"]], row[r.at["document"]] = h.Version, string(h.ETag), h.Document
		}
	case "audit":
		r.report.Audit.Seq, _ = row[r.at["seq"]].(int64)
		if hash, _ := row[r.at["hash"]].([]byte); len(hash) == len(r.report.Audit.Hash) {
			r.report.Audit.Hash = manifests.SHA256(hash)
		}
	case "vote_releases":
		return row, r.votes(row)
	case "rollouts":
		return row, r.rollout(row)
	}
	return row, nil
}

// votes moves a release to its spare keys: which of its tokens were spent since
// the backup is forgotten, and each could be spent again. Where the spare keys
// were in use already, in the backup or by what was published since, there are
// no more, so its votes end.
func (r *restoring) votes(row relational.Row) error {
	if row[r.at["closed_at"]] != int64(0) {
		return nil
	}
	product, _ := row[r.at["product"]].(string)
	build, _ := row[r.at["build"]].(int64)
	ref := vote.Ref{Product: manifests.Product(product), Build: manifests.Build(build)}
	if row[r.at["active_set"]] != string(vote.Primary) || r.tree.Spare[ref] {
		row[r.at["closed_at"]] = r.t.Now.Unix()
		r.report.Closed = append(r.report.Closed, ref)
		return nil
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	row[r.at["active_set"]], row[r.at["secret"]] = string(vote.Spare), secret
	r.report.Spare = append(r.report.Spare, ref)
	return nil
}

// rollout stops what would go on by itself.
func (r *restoring) rollout(row relational.Row) error {
	id, _ := row[r.at["id"]].(string)
	product, _ := row[r.at["product"]].(string)
	document, _ := row[r.at["document"]].(string)
	before, _ := row[r.at["state"]].(string)
	version, _ := row[r.at["version"]].(int64)
	var seen *policy.Rollout
	if doc := r.tree.Documents[manifests.Product(product)]; doc != nil && r.tree.Adopted {
		if i := slices.IndexFunc(doc.Rollouts, func(p policy.Rollout) bool { return string(p.ID) == id }); i >= 0 {
			seen = &doc.Rollouts[i]
		}
	}
	reason := "restored from the backup of " + r.report.Made.String() + "; what was decided since is forgotten"
	state, changed, err := rollout.Restored([]byte(document), seen, reason, r.t.Now)
	if err != nil {
		return fmt.Errorf("rollout %s: %w", id, err)
	}
	if string(state) == before {
		return nil
	}
	row[r.at["state"]], row[r.at["document"]], row[r.at["version"]] = string(state), string(changed), version+1
	row[r.at["updated_at"]] = r.t.Now.Unix()
	if state == policy.Halted {
		r.report.Halted = append(r.report.Halted, id)
	} else {
		r.report.Held = append(r.report.Held, id)
	}
	return nil
}

// number writes from where the roles are numbered on.
func (r *restoring) number(ctx context.Context) error {
	var rows []relational.Row
	for role, v := range r.tree.Versions {
		rows = append(rows, relational.Row{role, v})
	}
	if len(rows) == 0 {
		return nil
	}
	return r.f.Insert(ctx, table("role_versions"), []string{"role", "version"}, rows)
}

// note adds to the audit log what was done.
func (r *restoring) note(ctx context.Context) error {
	detail, err := json.Marshal(map[string]any{
		"made": r.report.Made, "adopted": r.report.Adopted, "held": len(r.report.Held), "halted": len(r.report.Halted),
		"spare": len(r.report.Spare), "closed": len(r.report.Closed), "revoked": r.report.Revoked,
	})
	if err != nil {
		return err
	}
	e := store.Entry{
		Seq: r.report.Audit.Seq + 1, At: r.t.Now.UTC().Truncate(time.Second), Who: r.t.Who, What: "ledger.restore",
		Why: "backup of " + r.report.Made.String(), Detail: detail, Prev: r.report.Audit.Hash,
	}
	e.Hash = e.Sum()
	r.report.Audit = audit.Head{Seq: e.Seq, Hash: e.Hash}
	return r.f.Insert(ctx, table("audit"), []string{"seq", "at", "who", "what", "subject", "why", "detail", "prev", "hash"},
		[]relational.Row{{e.Seq, e.At.Unix(), e.Who, e.What, e.Subject, e.Why, string(detail), e.Prev[:], e.Hash[:]}})
}

// missingImages names the images of the releases of a tree that are not in the
// store. Bodies of patches, which only their tables name, are not looked for.
func missingImages(ctx context.Context, b store.Blobs, tree publish.Recovered) ([]string, error) {
	files, err := publish.Published(tree.Head)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		if !strings.HasPrefix(f.Key, layout.TargetsDir+"/releases/") {
			continue
		}
		data, _, err := b.Load(ctx, f.Key)
		if err != nil {
			return out, err
		}
		release, err := manifests.ParseRelease(data)
		if err != nil {
			return out, fmt.Errorf("%s: %w", f.Key, err)
		}
		for _, blob := range release.Named() {
			if _, err := b.Stat(ctx, layout.BlobFile(blob.SHA256)); errors.Is(err, store.ErrNotFound) {
				out = append(out, layout.BlobFile(blob.SHA256))
			} else if err != nil {
				return out, err
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

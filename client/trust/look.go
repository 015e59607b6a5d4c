package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Glance is what a store knows, read without a lock and without changing it.
type Glance struct {
	Root     int64            // version of the trusted root
	Floors   map[string]int64 // the lowest versions that are still believed, by role
	Issued   time.Time        // the newest signed time; zero: none was seen
	LastWalk time.Time        // zero: there was none
	Behind   time.Time        // since when mirrors serve an older timestamp; zero: they do not
	Head     *uint64          // counter of the newest rollouts document
	Damaged  []string         // files that were set aside

	anchor *diagnosis.Anchor
	disk   disk.Disk
	dir    string
}

// Look opens the store in dir for an examination. It takes no lock: whoever
// holds it goes on. An error says that nothing is trusted, or that what is
// remembered cannot be read.
func Look(d disk.Disk, dir string) (*Glance, error) {
	g := &Glance{Floors: map[string]int64{}, disk: d, dir: dir}
	names, err := d.List(dir)
	if err != nil {
		return nil, fmt.Errorf("metadata store: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".damaged") {
			g.Damaged = append(g.Damaged, filepath.Join(dir, name))
		}
	}
	if err := g.root(); err != nil {
		return nil, err
	}
	return g, g.state()
}

func (g *Glance) root() error {
	data, err := g.file(metadata.ROOT, maxRootBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return refuse(metadata.ROOT, ErrMalformed, "there is no trusted root in this store; initialise it with the root of the maker")
	}
	if err != nil {
		return err
	}
	file, found := (diagnosis.Expected{Role: metadata.ROOT, Limit: maxRootBytes}).Judge(data)
	if file == nil {
		return refuse(metadata.ROOT, ErrMalformed, "%s", found[0].Words)
	}
	g.Root, g.anchor = file.Version, &diagnosis.Anchor{Version: file.Version, Hash: file.Hash()}
	return nil
}

func (g *Glance) state() error {
	data, err := g.file(stateFile, maxStateBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var st state
	if err == nil {
		_, err = strict.DecodeKept(data, maxStateBytes, &st)
	}
	if err != nil {
		return fmt.Errorf("metadata store: what is remembered of earlier versions: %w", err)
	}
	for _, f := range st.Floors {
		g.Floors[f.Role] = f.Version
	}
	g.Issued = st.issued()
	if st.LastWalk != nil {
		g.LastWalk = st.LastWalk.Time
	}
	if st.StaleFrom != nil {
		g.Behind = st.StaleFrom.Time
	}
	if st.Head != nil {
		g.Head = &st.Head.Counter
	}
	return nil
}

func (g *Glance) file(role string, limit int64) ([]byte, error) {
	return disk.ReadFile(g.disk, (&Store{dir: g.dir}).path(role), limit)
}

// Examine says of all that is stored what holds and what does not, at now.
func (g *Glance) Examine(ctx context.Context, product manifests.Product, now time.Time) []diagnosis.Finding {
	t := &diagnosis.Tree{Source: stored{g}, Anchor: g.anchor, First: g.Root, Now: now, Product: product, Kept: true}
	return t.Examine(ctx)
}

// Ask examines what a server or mirror publishes, as a look for news would find
// it. It asks for static files and nothing else.
func (g *Glance) Ask(ctx context.Context, from Fetcher, product manifests.Product, now time.Time) []diagnosis.Finding {
	answers := &answers{fetch: from}
	t := &diagnosis.Tree{
		Source: answers, Anchor: g.anchor, First: g.Root, Now: now, Product: product, Floors: g.Floors, ServerTime: answers.time,
	}
	return t.Examine(ctx)
}

// stored gives the files of the store by the names that they have in a tree.
type stored struct{ *Glance }

// Read is that of diagnosis.Source.
func (s stored) Read(_ context.Context, path string, limit int64) ([]byte, error) {
	if _, hash, ok := layout.ParseTargetFile(path); ok {
		return disk.ReadFile(s.disk, filepath.Join(s.dir, "documents", hash.String()), limit)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(path, layout.MetadataDir+"/"), ".json")
	version, role, versioned := strings.Cut(name, ".")
	if !versioned {
		role = name
	}
	if role == metadata.ROOT && version != fmt.Sprint(s.Root) {
		return nil, fs.ErrNotExist // the newest alone is kept
	}
	return s.file(role, limit)
}

// answers gives the files of a server.
type answers struct {
	fetch Fetcher
	said  time.Time
}

func (a *answers) time() (time.Time, bool) { return a.said, !a.said.IsZero() }

// Read is that of diagnosis.Source. What came instead of a file is given as if
// it were one, so that it is judged by what it is.
func (a *answers) Read(ctx context.Context, path string, limit int64) ([]byte, error) {
	got, err := a.fetch.Get(ctx, path, limit, "")
	if !got.Date.IsZero() {
		a.said = got.Date
	}
	switch {
	case errors.Is(err, fetch.ErrNotFound):
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case errors.Is(err, fetch.ErrWebPage):
		return []byte("<html>"), nil
	case errors.Is(err, fetch.ErrTooLarge):
		return make([]byte, limit+1), nil
	}
	return got.Body, err
}

package api

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/publish"
)

// images knows which releases on the lists have an image, of the tree that is
// published. A release document is read once, when a tree first has it, whatever
// became of it since and however many others there are; a server that was started
// anew reads all of them once.
type images struct {
	mu   sync.Mutex
	tree *publish.Tree
	by   map[imageOf][]contract.ImageSource // the newest build first
	read map[string]document                // by target path
	// parsed counts the documents that were read, for tests.
	parsed int
}

// imageOf is an image of a product.
type imageOf struct {
	product manifests.Product
	hash    manifests.SHA256
}

// document is a release as far as images go. Body is what was read; it is never
// changed, and the next tree has the same one.
type document struct {
	body    []byte
	product manifests.Product
	images  []contract.ImageSource
}

// startOf gives the images of other releases on the list from which patches of
// doc start, the newest build first.
func (x *images) startOf(ctx context.Context, p *publish.Publisher, doc *manifests.Release) ([]contract.ImageSource, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.follow(ctx, p); err != nil {
		return nil, err
	}
	var out []contract.ImageSource
	asked := map[manifests.SHA256]bool{}
	for _, m := range doc.Images {
		for _, patch := range m.Patches {
			if asked[patch.FromSHA256] {
				continue
			}
			asked[patch.FromSHA256] = true
			for _, s := range x.by[imageOf{doc.Product, patch.FromSHA256}] {
				if s.Build != int64(doc.Build) {
					out = append(out, s)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b contract.ImageSource) int { return cmp.Compare(b.Build, a.Build) })
	return out, nil
}

// follow reads what the tree has that the one before had not. A lock is held.
func (x *images) follow(ctx context.Context, p *publish.Publisher) error {
	tree := p.Tree()
	if tree == x.tree && tree != nil {
		return nil
	}
	state, err := p.State(ctx)
	if err != nil {
		return err
	}
	read, by := make(map[string]document, len(state.Documents)), map[imageOf][]contract.ImageSource{}
	for path, body := range state.Documents {
		d, ok := x.read[path]
		if !ok || !same(d.body, body) {
			d = x.parse(body)
		}
		read[path] = d
		for _, s := range d.images {
			if hash, err := manifests.ParseSHA256(s.Sha256); err == nil {
				by[imageOf{d.product, hash}] = append(by[imageOf{d.product, hash}], s)
			}
		}
	}
	x.tree, x.read, x.by = tree, read, by
	return nil
}

// parse reads a document that was verified when it was published; of one that
// cannot be read all the same there are no images.
func (x *images) parse(body []byte) document {
	x.parsed++
	d := document{body: body}
	if r, err := manifests.ParseRelease(body); err == nil {
		d.product = r.Product
		for _, m := range r.Images {
			d.images = append(d.images, contract.ImageSource{Sha256: m.SHA256.String(), Slot: string(m.Slot), Build: int64(r.Build), Version: r.Version})
		}
	}
	return d
}

// same tells whether two slices are the same memory.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

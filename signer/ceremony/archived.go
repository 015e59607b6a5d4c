package ceremony

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests/archive"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// inMemory is a Source: files by path.
type inMemory map[string][]byte

func (m inMemory) Open(_ context.Context, path string) (io.ReadCloser, error) {
	data, ok := m[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// VerifyArchive says what an archived release proves, from a trusted root and
// without a network: that its engineers signed it, judged as of the moment when
// the service last said so, and how it left their list. Everything in it may have
// expired since.
func VerifyArchive(ctx context.Context, a *archive.Archive, anchor keyring.Anchor) (*Report, error) {
	standing, err := StandingOf(ctx, inMemory(a.Live), anchor, vote.Ref{Product: a.Product, Build: a.Build})
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	r := &Report{Findings: standing.Findings}
	if standing.Release == nil {
		r.Findings = append(r.Findings, Finding{Subject: "release", Words: fmt.Sprintf("build %d of %s was not signed by its engineers then", a.Build, a.Product)})
	}
	words, err := verifyGone(a)
	if err != nil {
		r.Findings = append(r.Findings, Finding{Subject: string(a.How), Words: err.Error()})
	} else {
		r.Findings = append(r.Findings, Finding{Subject: string(a.How), Holds: true, Words: words})
	}
	r.Holds = !slices.ContainsFunc(r.Findings, func(f Finding) bool { return !f.Holds })
	return r, nil
}

// newestOf gives the highest version of a role among files of the tree.
func newestOf(role string, sets ...map[string][]byte) (data []byte) {
	most := int64(0)
	for _, files := range sets {
		for name, body := range files {
			var v int64
			if n, err := fmt.Sscanf(path.Base(name), "%d.", &v); n == 1 && err == nil && layout.MetadataFile(role, v) == name && v > most {
				most, data = v, body
			}
		}
	}
	return data
}

// verifyGone follows what came with the list that took the release off, and
// demands that this list is signed and says what the archive says.
func verifyGone(a *archive.Archive) (string, error) {
	root, err := lastRoot(a)
	if err != nil {
		return "", err
	}
	targets, err := readTargets(metadata.TARGETS, newestOf(metadata.TARGETS, a.Live, a.Gone))
	if err != nil {
		return "", err
	}
	if err := root.VerifyDelegate(metadata.TARGETS, targets); err != nil {
		return "", fmt.Errorf("targets: %w", err)
	}
	role := layout.ReleasesRole(a.Product)
	before, err := readTargets(role, newestOf(role, a.Live))
	if err != nil {
		return "", err
	}
	list, err := readTargets(role, newestOf(role, a.Gone))
	if err != nil {
		return "", fmt.Errorf("the list that took it off: %w", err)
	}
	if err := targets.VerifyDelegate(role, list); err != nil {
		return "", fmt.Errorf("the list that took it off: %w", err)
	}
	if list.Signed.Version <= before.Signed.Version || list.Signed.Targets[layout.ReleasePath(a.Product, a.Build)] != nil {
		return "", fmt.Errorf("list %d does not take build %d off list %d", list.Signed.Version, a.Build, before.Signed.Version)
	}
	f, found, err := fileOf(role, list)
	if err == nil {
		err = found.First()
	}
	if err != nil {
		return "", err
	}
	if retired := slices.Contains(f.Retires, a.Build); retired != (a.How == layout.Retired) {
		return "", fmt.Errorf("the archive says %s, the engineers' list %d does not", a.How, list.Signed.Version)
	}
	return fmt.Sprintf("by list %d, signed by %d of its people", list.Signed.Version, len(list.Signatures)), nil
}

// lastRoot follows the chain on from where the live files end.
func lastRoot(a *archive.Archive) (*rootMeta, error) {
	all := maps.Clone(a.Live)
	for name, data := range a.Gone {
		if strings.HasSuffix(name, ".root.json") {
			all[name] = data
		}
	}
	var chain []*rootMeta
	for v := int64(1); all[layout.MetadataFile(metadata.ROOT, v)] != nil; v++ {
		root, err := readRoot(all[layout.MetadataFile(metadata.ROOT, v)])
		if err != nil {
			return nil, err
		}
		chain = append(chain, root)
		if err := verifyNextRoot(chain, len(chain)-1); err != nil {
			return nil, err
		}
	}
	return chain[len(chain)-1], nil // StandingOf has read the first
}

package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/archive"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/server/store"
)

// archive keeps every release that the next generation's lists leave out, with
// the proof that it was one and the list that took it off. It comes before the
// head: a list is never published of which nothing would be left to show. The
// same again changes nothing, and what stands there first stays.
func (s *step) archive(ctx context.Context) error {
	for _, p := range s.current.products() {
		if s.next.Versions[layout.ReleasesRole(p)] == s.current.Versions[layout.ReleasesRole(p)] {
			continue
		}
		before, err := s.current.releases(p)
		if err != nil {
			return err
		}
		after, err := s.next.releases(p)
		if err != nil {
			return err
		}
		for build := range before {
			if _, stays := after[build]; stays {
				continue
			}
			if err := s.archiveOne(ctx, p, build); err != nil {
				return fmt.Errorf("archive build %d of %s: %w", build, p, err)
			}
		}
	}
	return nil
}

func (s *step) archiveOne(ctx context.Context, p manifests.Product, build manifests.Build) error {
	live, err := s.current.proof(p, build)
	if err != nil {
		return err
	}
	role := layout.ReleasesRole(p)
	a := archive.Archive{Spec: archive.Spec, Product: p, Build: build, How: layout.Withdrawn, Live: live, Gone: map[string][]byte{}}
	if f, _ := lint.Read(role, s.next.role(role)); f != nil && slices.Contains(f.Retires, build) {
		a.How = layout.Retired
	}
	paths := []string{layout.MetadataFile(role, s.next.Versions[role]), layout.MetadataFile(metadata.TARGETS, s.next.Versions[metadata.TARGETS])}
	for v := s.current.Roots + 1; v <= s.next.Roots; v++ {
		paths = append(paths, layout.MetadataFile(metadata.ROOT, v))
	}
	for _, path := range paths {
		if _, known := live[path]; !known {
			a.Gone[path] = s.next.bodies[path]
		}
	}
	data, err := a.Encode()
	if err != nil {
		return err
	}
	o := store.Object{Key: layout.ArchiveFile(p, build, a.How), Size: int64(len(data)), SHA256: manifests.SumSHA256(data)}
	err = s.blobs.Put(ctx, o, bytes.NewReader(data))
	if errors.Is(err, store.ErrExists) { // an earlier try of the same, by another state of the online roles
		return nil
	}
	return err
}

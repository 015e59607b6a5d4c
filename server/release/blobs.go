package release

import (
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
	"github.com/candor-ota/candor/server/store"
)

// checkBlobs demands everything that anybody may fetch because of a release.
func (v *verifier) checkBlobs(path string, r *manifests.Release) error {
	for _, b := range r.Named() {
		if err := v.checkBlob(path, b); err != nil {
			return err
		}
	}
	for _, m := range r.Images {
		for _, p := range m.Patches {
			if err := v.checkPatch(path, m, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkBlob demands a blob that is signed. Its hash held when it was stored.
func (v *verifier) checkBlob(path string, b manifests.Blob) error {
	info, err := v.blobs.Stat(v.ctx, layout.BlobFile(b.SHA256))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &MissingBlob{Path: path, Blob: b}
	case err != nil:
		return fmt.Errorf("blob %s: %w", b.SHA256.Short(), err)
	case info.Size != b.Size:
		return refuse(path, "blob %s has %d bytes, signed are %d", b.SHA256.Short(), info.Size, b.Size)
	}
	return nil
}

// checkPatch demands the table of a patch, and the body that only the table
// names.
func (v *verifier) checkPatch(path string, m manifests.Image, p manifests.Patch) error {
	if err := v.checkBlob(path, p.Table); err != nil {
		return err
	}
	if p.Table.Size > patch.MaxTableBytes {
		return refuse(path, "patch table %s has %d bytes; at most %d are read", p.Table.SHA256.Short(), p.Table.Size, patch.MaxTableBytes)
	}
	file, err := v.readBlob(p.Table)
	if err != nil {
		return fmt.Errorf("patch table %s: %w", p.Table.SHA256.Short(), err)
	}
	table, err := patch.Parse(file)
	if err == nil {
		err = table.CheckSigned(m, p)
	}
	if err != nil {
		return refuse(path, "blob %s: %v", p.Table.SHA256.Short(), err)
	}
	return v.checkBlob(path, manifests.Blob{SHA256: table.BodySHA256, Size: table.BodySize})
}

func (v *verifier) readBlob(b manifests.Blob) ([]byte, error) {
	body, _, err := v.blobs.Open(v.ctx, layout.BlobFile(b.SHA256))
	if err != nil {
		return nil, err
	}
	file, err := io.ReadAll(io.LimitReader(body, b.Size))
	return file, errors.Join(err, body.Close())
}

// Package release takes in what engineers signed: blobs by resumable upload,
// metadata and release documents by submission.
//
// Parties. An engineer's token may upload and submit; it proves nothing. What
// is submitted is verified against the root of trust that is published, and
// against every rule that joins releases, before anything is stored. The first
// root is believed once, when there is none, and only if it lists this
// server's own online keys.
//
// Promises. All of a submission is taken or nothing; the same one again
// changes nothing; a version never goes back; no build changes its bytes; no
// delegated role is dropped; a release is published only when every blob that
// it names is here. What the ledger says of products and releases is derived
// from what is published (Reconcile), so a crash between the two heals.
//
// Failure. Refusals are *Refusal (what field, why) and *MissingBlob; anything
// else is internal. Uploads keep their bytes in files below one folder; the
// length of the file, fsynced, is what has arrived.
package release

import (
	"fmt"

	"github.com/candor-ota/candor/manifests"
)

// Refusal says which part of a submission does not hold, and why.
type Refusal struct {
	Field  string // file name or role, such as "3.targets.json"
	Reason string
}

func (r *Refusal) Error() string { return r.Field + ": " + r.Reason }

func refuse(field, format string, args ...any) error {
	return &Refusal{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// MissingBlob names a blob that a release needs and that was not uploaded.
type MissingBlob struct {
	Path string // of the release
	Blob manifests.Blob
}

func (m *MissingBlob) Error() string {
	return fmt.Sprintf("%s names blob %s of %d bytes, which was not uploaded", m.Path, m.Blob.SHA256, m.Blob.Size)
}

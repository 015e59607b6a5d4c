package carry_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/postgres"
	"github.com/candor-ota/candor/server/store/storetest"
)

// resting is a backup on a slow disk: each pass over it rests when it has read
// half of the images that are at its end.
type resting struct {
	*bytes.Reader
	at, rests int
	wait      time.Duration
}

func (r *resting) Seek(offset int64, whence int) (int64, error) {
	r.at = 0
	return r.Reader.Seek(offset, whence)
}

func (r *resting) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p[:min(len(p), 64<<10)])
	before := r.at
	r.at += n
	if half := int(r.Size()) - 512<<10; before < half && r.at >= half {
		r.rests++
		<-time.After(r.wait)
	}
	return n, err
}

// The engine ends a transaction in which nothing is asked for a while, so that
// a server that froze holds nobody up. A restore passes over images in that time.
func TestImagesOfABackupMayTakeLongerThanATransaction(t *testing.T) {
	const idle = 500 * time.Millisecond
	h := newHouse(t)
	big := bytes.Repeat([]byte("image "), 200<<10)
	must(t, store.PutBytes(t.Context(), h.blobs, layout.BlobFile(manifests.SumSHA256(big)), big))
	file := &resting{Reader: h.backup(true), wait: 4 * idle}
	p := storetest.StartPostgres(t)
	l, err := postgres.Open(t.Context(), postgres.Config{
		URL: p.Database(t) + "&idle_in_transaction_session_timeout=500", Password: p.Password,
	})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	h.ledger, h.blobs = l, newDisk(t)
	done := h.restore(file)
	if file.rests < 2 || done.Rows == 0 || len(done.Missing) > 0 {
		t.Errorf("%d rests, restored %+v", file.rests, done)
	}
}

// swapped is a file that becomes another one when it is read for the last time.
type swapped struct {
	*bytes.Reader
	later  *bytes.Reader
	passes int
}

func (s *swapped) Seek(offset int64, whence int) (int64, error) {
	if s.passes++; s.passes == 4 { // all of it, images, files, tables
		s.Reader = s.later
	}
	return s.Reader.Seek(offset, whence)
}

func TestBackupThatChangesWhileItIsReadWritesNothing(t *testing.T) {
	h := newHouse(t)
	before := h.backup(true)
	h.submit(h.makers.Add(h.makers.Release(43)))
	file := &swapped{Reader: before, later: h.backup(true)}
	h.ledger, h.blobs = newSQLite(t), newDisk(t)
	_, err := carry.Restore(t.Context(), file, h.target())
	if products, got := h.ledger.Products(t.Context()); !errors.Is(err, carry.ErrBackup) || got != nil || len(products) > 0 || file.passes != 4 {
		t.Errorf("%v after %d passes; %v, %v", err, file.passes, products, got)
	}
}

package releasetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	tufconfig "github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/store"
)

// Reader is a plain go-tuf client over the store of blobs, as a CDN would
// serve it. It keeps what it has seen, so a tree that goes back is an error.
type Reader struct {
	Blobs interface {
		Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
	}
	Now func() time.Time
	dir string
}

// Read refreshes and gives the rollouts document of a product, with the
// release paths that its engineers sign. Nothing published yet is nil, nil.
func (r *Reader) Read(t testing.TB, p manifests.Product) (*rollout.Document, map[string]*metadata.TargetFiles, error) {
	t.Helper()
	root, err := r.get(layout.MetadataFile(metadata.ROOT, 1))
	if err != nil {
		return nil, nil, nil
	}
	if _, err := r.get(layout.TimestampFile); err != nil {
		return nil, nil, nil
	}
	if r.dir == "" {
		r.dir = t.TempDir()
	}
	c := &tufconfig.UpdaterConfig{
		MaxRootRotations: 64, MaxDelegations: 64, RootMaxLength: 1 << 20, TimestampMaxLength: 1 << 20, SnapshotMaxLength: 1 << 20,
		TargetsMaxLength: 1 << 20, Fetcher: fetcher{r}, LocalTrustedRoot: root, LocalMetadataDir: r.dir, LocalTargetsDir: t.TempDir(),
		RemoteMetadataURL: "http://tree/metadata", RemoteTargetsURL: "http://tree/targets", PrefixTargetsWithHash: true,
	}
	u, err := updater.New(c)
	if err != nil {
		return nil, nil, err
	}
	u.UnsafeSetRefTime(r.Now())
	if err := u.Refresh(); err != nil {
		return nil, nil, err
	}
	info, err := u.GetTargetInfo(layout.RolloutsPath(p))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", layout.RolloutsPath(p), err)
	}
	_, data, err := u.DownloadTarget(info, "", "")
	if err != nil {
		return nil, nil, err
	}
	doc, err := rollout.Parse(data)
	if err != nil {
		return nil, nil, err
	}
	// Asking for a build that nobody signs loads the role.
	_, err = u.GetTargetInfo(layout.ReleasePath(p, 1<<40))
	role := u.GetTrustedMetadataSet().Targets[layout.ReleasesRole(p)]
	if err == nil || role == nil {
		return nil, nil, fmt.Errorf("a build that nobody made is signed, or its role does not load: %w", err)
	}
	for path := range role.Signed.Targets {
		info, err := u.GetTargetInfo(path)
		if err != nil {
			return nil, nil, err
		}
		if _, _, err := u.DownloadTarget(info, "", ""); err != nil {
			return nil, nil, err
		}
	}
	return doc, role.Signed.Targets, nil
}

func (r *Reader) get(key string) ([]byte, error) {
	f, _, err := r.Blobs.Open(context.Background(), key)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

type fetcher struct{ r *Reader }

// DownloadFile reads from the store.
func (f fetcher) DownloadFile(address string, limit int64, _ time.Duration) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	data, err := f.r.get(strings.TrimPrefix(u.Path, "/"))
	if errors.Is(err, store.ErrNotFound) {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: 404, URL: address}
	}
	if err == nil && int64(len(data)) > limit {
		err = &metadata.ErrDownloadLengthMismatch{Msg: "too long"}
	}
	return data, err
}

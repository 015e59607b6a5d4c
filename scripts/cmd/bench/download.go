package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

const downloadMiB = 64

// download reads a blob whole, and in ranges as handsets ask for them, from the
// real server and from nginx, both from the same file on disk; and from a
// bucket.
func download(ctx context.Context, dir string) (rows []figure.Row, err error) {
	w, err := world.New(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := w.Ceremony(ctx, "phone"); err != nil {
		return nil, err
	}
	image := w.Path("image")
	if err := writeImage(image, downloadMiB); err != nil {
		return nil, err
	}
	blob, err := placeBlob(w, image)
	if err != nil {
		return nil, err
	}
	nginx, err := startNginx(w.Dir, w.Path("data", "tree"), nginxTLS{})
	if err != nil {
		return nil, err
	}
	if nginx != nil {
		defer func() { err = errors.Join(err, nginx.end()) }()
	}
	for _, asked := range []struct {
		name string
		part int64
	}{{"whole", downloadMiB << 20}, {"ranges of 1 MiB", 1 << 20}} {
		name, part := asked.name, asked.part
		ours := &target{name: "candor-server", pid: w.ServerID(), address: ofWorld(w).address, path: "/" + blob}
		all := []*target{ours}
		if nginx != nil {
			all = append(all, &target{name: "nginx, sendfile", pid: nginx.pid(), address: nginx.address, path: "/" + blob})
		}
		for range rounds {
			for _, t := range all {
				if err := t.read(ctx, part, perRound); err != nil {
					return nil, fmt.Errorf("%s, %s: %w", name, t.name, err)
				}
			}
		}
		for _, t := range all {
			rows = append(rows, figure.Of(name+": "+t.name, t.perCPUSecond()/1e9, "GB/CPU-s"))
		}
		if nginx != nil {
			rows = append(rows, figure.AtLeast(name+": candor-server against nginx", ours.against(all[1]), "ratio", 0.95))
		}
	}
	more, err := fromBucket(ctx, w, image, blob)
	return append(rows, more...), err
}

// placeBlob puts a file where the server keeps blobs, and gives its path.
func placeBlob(w *world.World, image string) (string, error) {
	data, err := os.ReadFile(image)
	if err != nil {
		return "", err
	}
	blob := layout.BlobFile(manifests.SumSHA256(data))
	to := w.Path("data", "tree", filepath.FromSlash(blob))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	return blob, os.WriteFile(to, data, 0o600)
}

// read loads a target with downloads of a part of its file, over connections
// that stay; rates are in bytes.
func (t *target) read(ctx context.Context, part int64, d time.Duration) error {
	return t.cost(func() (int64, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		const atOnce = 4
		var bytes atomic.Int64
		errs := make([]error, atOnce)
		var wg sync.WaitGroup
		for i := range atOnce {
			wg.Go(func() { errs[i] = t.reader(ctx, part, int64(i), &bytes) })
		}
		wg.Wait()
		return bytes.Load(), errors.Join(errs...)
	})
}

func (t *target) reader(ctx context.Context, part, first int64, bytes *atomic.Int64) error {
	conn, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	r, buffer := bufio.NewReaderSize(conn, 64<<10), make([]byte, 256<<10)
	const size = downloadMiB << 20
	for at := first * part % size; ctx.Err() == nil; at = (at + part) % size {
		head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nRange: bytes=%d-%d\r\n\r\n", t.path, t.address, at, at+part-1)
		if _, err := io.WriteString(conn, head); err != nil {
			return errors.Join(err, conn.Close())
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return errors.Join(err, conn.Close())
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, buffer)
		if bytes.Add(n); err == nil && n != part {
			err = fmt.Errorf("%s: %d bytes instead of %d", resp.Status, n, part)
		}
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
	return conn.Close()
}

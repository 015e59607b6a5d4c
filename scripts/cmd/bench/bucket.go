package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

const (
	copyCommand = "serve-copy"
	benchBucket = "candor"
)

// serveCopy is the least that a program can do that passes on objects: a
// handler, and minio-go behind it. Its arguments are endpoint, CA file, the two
// keys and the object.
func serveCopy(args []string) error {
	if len(args) != 5 {
		return errors.New("endpoint, CA file, access key, secret key and object are wanted")
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	transport, err := minio.DefaultTransport(true)
	if err != nil {
		return err
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	client, err := minio.New(args[0], &minio.Options{
		Creds: credentials.NewStaticV4(args[2], args[3], ""), Secure: true, Region: "us-east-1", Transport: transport,
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return (&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var options minio.GetObjectOptions
		var first, last int64
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil || options.SetRange(first, last) != nil {
			http.Error(w, "a range is wanted", http.StatusBadRequest)
			return
		}
		body, info, _, err := (&minio.Core{Client: client}).GetObject(r.Context(), benchBucket, args[4], options)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(info.Size))
		w.WriteHeader(http.StatusPartialContent)
		if _, err := io.Copy(w, body); err != nil {
			return // the load has ended
		}
		if err := body.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})}).Serve(l)
}

// fromBucket downloads from a bucket: by redirect, where what goes through the
// server is the answer alone, and passed on, beside the bare copy.
func fromBucket(ctx context.Context, w *world.World, image, blob string) (rows []figure.Row, err error) {
	dir := w.Path("s3")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	bucket, err := storetest.RunS3(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	if err := fillBucket(ctx, bucket, image, blob); err != nil {
		return nil, err
	}
	redirecting, err := bucketServer(ctx, w, bucket, "redirects", true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, redirecting.end()) }()
	through, err := bytesThrough("http://" + redirecting.address + "/" + blob)
	if err != nil {
		return nil, err
	}
	rows = append(rows, figure.AtMost(fmt.Sprintf("S3 by redirect: bytes through the server, of %d MiB", downloadMiB), through, "bytes", 2048))
	passing, err := bucketServer(ctx, w, bucket, "passes", false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, passing.end()) }()
	bare, err := startSelf(copyCommand, bucket.Endpoint, bucket.CAFile, bucket.AccessKey, bucket.SecretKey, blob)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.end()) }()
	all := []*target{
		{name: "candor-server", pid: passing.pid(), address: passing.address, path: "/" + blob},
		{name: "bare minio-go copy", pid: bare.pid(), address: bare.address, path: "/" + blob},
	}
	for range rounds {
		for _, t := range all {
			if err := t.read(ctx, 8<<20, perRound); err != nil {
				return nil, fmt.Errorf("S3, %s: %w", t.name, err)
			}
		}
	}
	for _, t := range all {
		rows = append(rows, figure.Of("S3 passed on: "+t.name, t.perCPUSecond()/1e9, "GB/CPU-s"))
	}
	return append(rows, figure.AtLeast("S3 passed on: candor-server against the bare copy", all[0].against(all[1]), "ratio", 0.9)), nil
}

func fillBucket(ctx context.Context, bucket *storetest.S3, image, blob string) error {
	if err := bucket.NewBucket(benchBucket); err != nil {
		return err
	}
	blobs, err := s3.New(ctx, s3.Config{
		Endpoint: bucket.Endpoint, Region: "us-east-1", Bucket: benchBucket,
		AccessKey: bucket.AccessKey, SecretKey: bucket.SecretKey, Transport: bucket.Transport,
	})
	if err != nil {
		return err
	}
	data, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	return store.PutBytes(ctx, blobs, blob, data)
}

// bucketServer runs a server of its own over the bucket.
func bucketServer(ctx context.Context, w *world.World, bucket *storetest.S3, name string, redirect bool) (*process, error) {
	data := w.Path(name)
	if _, err := w.Exec(ctx, "server", "init", "--data", data); err != nil {
		return nil, err
	}
	access, secret := filepath.Join(data, "access"), filepath.Join(data, "secret")
	f, err := os.OpenFile(filepath.Join(data, "config.yaml"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(f, "s3: {endpoint: %q, region: us-east-1, bucket: %s, accessKeyFile: %q, secretKeyFile: %q, caFile: %q, redirect: %t}\n",
		bucket.Endpoint, benchBucket, access, secret, bucket.CAFile, redirect)
	if err = errors.Join(err, f.Close(), os.WriteFile(access, []byte(bucket.AccessKey+"\n"), 0o600), os.WriteFile(secret, []byte(bucket.SecretKey+"\n"), 0o600)); err != nil {
		return nil, err
	}
	return startServer(w, data)
}

// bytesThrough gives the size of the answer to a request for a blob, which must
// lead elsewhere.
func bytesThrough(address string) (float64, error) {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	wire, err := httputil.DumpResponse(resp, true)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	if resp.StatusCode/100 != 3 || !strings.HasPrefix(resp.Header.Get("Location"), "https://") {
		return 0, fmt.Errorf("%s answered %s instead of a redirect", address, resp.Status)
	}
	return float64(len(wire)), nil
}

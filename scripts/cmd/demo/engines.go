package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/candor-ota/candor/server/store/storetest"
)

// engines tells whether the flags name what there is.
func (o options) engines() bool {
	return (o.ledger == "sqlite" || o.ledger == "postgres") && (o.blobs == "disk" || o.blobs == "s3")
}

// startEngines starts what the server is to stand on besides its own folder,
// and writes down how it finds them.
func (d *demo) startEngines(ctx context.Context) error {
	if d.ledger == "postgres" {
		p, err := storetest.RunPostgres(ctx)
		if err != nil {
			return err
		}
		d.ends = append(d.ends, p.Close)
		database, err := p.NewDatabase(ctx)
		if err != nil {
			return err
		}
		text, err := p.Configure(database, filepath.Join(d.dir, "postgres-password"))
		if err != nil {
			return err
		}
		d.config += text
	}
	if d.blobs == "s3" {
		return d.startS3(ctx)
	}
	return nil
}

// startS3 starts versitygw. The handsets of the demo do not know its
// certificate, so the server passes images on instead of sending them there.
func (d *demo) startS3(ctx context.Context) error {
	dir := filepath.Join(d.dir, "s3")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s, err := storetest.RunS3(ctx, dir)
	if err != nil {
		return err
	}
	d.ends = append(d.ends, s.Close)
	access, secret := filepath.Join(dir, "access"), filepath.Join(dir, "secret")
	err = errors.Join(s.NewBucket("candor"), os.WriteFile(access, []byte(s.AccessKey+"\n"), 0o600), os.WriteFile(secret, []byte(s.SecretKey+"\n"), 0o600))
	if err != nil {
		return err
	}
	d.config += fmt.Sprintf("s3: {endpoint: %q, region: us-east-1, bucket: candor, accessKeyFile: %q, secretKeyFile: %q, caFile: %q, redirect: false}\n",
		s.Endpoint, access, secret, s.CAFile)
	return nil
}

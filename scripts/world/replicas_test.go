package world_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/store/storetest"
)

// newReplicas starts n servers on a PostgreSQL and a bucket of their own.
func newReplicas(t *testing.T, n int) (r *world.Replicas, engine *storetest.Postgres, database string) {
	t.Helper()
	engine = storetest.StartPostgres(t)
	dir := t.TempDir()
	database, err := engine.NewDatabase(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text, err := engine.Configure(database, filepath.Join(dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	text += bucketFor(t, dir) + "rollouts: {lookEvery: 1s}\n"
	if r, err = world.NewReplicas(ctx, filepath.Join(dir, "w"), n, text); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, engine, database
}

// bucketFor starts an S3 server and gives the line of config.yaml that names a
// bucket there; its keys go into files of dir.
func bucketFor(t *testing.T, dir string) string {
	t.Helper()
	s3 := storetest.StartS3(t)
	bucket := s3.Config(t, "candor")
	for name, secret := range map[string]string{"access": bucket.AccessKey, "secret": bucket.SecretKey} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("s3: {endpoint: %q, region: %q, bucket: %q, accessKeyFile: %q, secretKeyFile: %q, caFile: %q}\n",
		bucket.Endpoint, bucket.Region, bucket.Bucket, filepath.Join(dir, "access"), filepath.Join(dir, "secret"), s3.CAFile)
}

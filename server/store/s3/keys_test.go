package s3

import (
	"errors"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

func TestChangedKeysAreUsedWithinSeconds(t *testing.T) {
	access, secret, failure := "a1", "s1", errors.New("no such file")
	now := time.Unix(1, 0)
	c := credentials.New(&keys{read: func() (string, string, error) { return access, secret, failure }, now: func() time.Time { return now }})
	if _, err := c.GetWithContext(nil); err == nil {
		t.Error("without any keys a request is made")
	}
	failure = nil
	use := func() string {
		t.Helper()
		v, err := c.GetWithContext(nil)
		if err != nil {
			t.Fatal(err)
		}
		return v.AccessKeyID + v.SecretAccessKey
	}
	if got := use(); got != "a1s1" {
		t.Errorf("used %s", got)
	}
	access, secret = "a2", "s2"
	if got := use(); got != "a1s1" {
		t.Errorf("the files are read for each request: %s", got)
	}
	now = now.Add(KeysAge)
	if got := use(); got != "a2s2" {
		t.Errorf("used %s", got)
	}
	failure = errors.New("no such file")
	now = now.Add(KeysAge)
	if got := use(); got != "a2s2" {
		t.Errorf("while a file is being replaced %q is used", got)
	}
}

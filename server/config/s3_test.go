package config_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store/storetest"
)

func TestImagesAreRedirectedUnlessConfiguredOtherwise(t *testing.T) {
	server, dir := storetest.StartS3(t), t.TempDir()
	c := server.Config(t, "bucket")
	for name, text := range map[string]string{"a": c.AccessKey, "s": c.SecretKey + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := fmt.Sprintf("endpoint: %q, bucket: bucket, accessKeyFile: %s/a, secretKeyFile: %s/s, caFile: %s", c.Endpoint, dir, dir, server.CAFile)
	for extra, want := range map[string]string{
		"":                                      "https://" + c.Endpoint + "/bucket/x?",
		", publicEndpoint: cdn.example.org":     "https://cdn.example.org/bucket/x?",
		", redirect: true":                      "https://" + c.Endpoint + "/bucket/x?",
		", redirect: false":                     "",
		", redirect: false, prefix: 'ota/'":     "",
		", publicEndpoint: 'cdn.example.org:1'": "https://cdn.example.org:1/bucket/x?",
	} {
		f, err := config.Parse([]byte("s3: {" + base + extra + "}\n"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := config.Dir(dir).OpenBlobs(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := b.(interface {
			Presign(context.Context, string, time.Duration) (string, error)
		})
		if ok != (want != "") {
			t.Errorf("%q: presigns is %v", extra, ok)
		}
		if ok {
			if where, err := p.Presign(t.Context(), "x", time.Hour); err != nil || !strings.HasPrefix(where, want) {
				t.Errorf("%q: %s, %v", extra, where, err)
			}
		}
		if n, err := config.Sweep(t.Context(), b, time.Now); err != nil || n != 0 {
			t.Errorf("%q: swept %d, %v", extra, n, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{", publicEndpoint: 'https://x'", ", publicEndpoint: x, redirect: false", ", prefix: x"} {
		if _, err := config.Parse([]byte("s3: {" + base + bad + "}\n")); err == nil || !strings.Contains(err.Error(), "s3.p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

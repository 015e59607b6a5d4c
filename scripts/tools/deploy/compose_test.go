package deploy

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

func TestComposeFileIsOne(t *testing.T) {
	const file = "../../../server/deploy/compose/compose.yaml"
	load := func(environment types.Mapping) (*types.Project, error) {
		return loader.LoadWithContext(context.Background(), types.ConfigDetails{
			WorkingDir: "../../../server/deploy/compose", ConfigFiles: []types.ConfigFile{{Filename: file}}, Environment: environment,
		})
	}
	p, err := load(types.Mapping{"S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"})
	if err != nil {
		t.Fatal(err)
	}
	if names := p.ServiceNames(); !slices.Equal(names, []string{"bucket", "init", "postgres", "proxy", "s3", "server"}) {
		t.Errorf("the services are %v", names)
	}
	s := p.Services["server"]
	if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Restart != "unless-stopped" || s.Build.Dockerfile != "server/deploy/Dockerfile" {
		t.Errorf("the server is %+v", s)
	}
	for _, service := range p.Services {
		for _, secret := range service.Secrets {
			if _, ok := p.Secrets[secret.Source]; !ok {
				t.Errorf("%s: there is no secret %s", service.Name, secret.Source)
			}
		}
		for _, v := range service.Volumes {
			if v.Type == "bind" {
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", service.Name, err)
				}
			}
		}
	}
	if _, err := load(types.Mapping{}); err == nil {
		t.Error("it starts without secrets")
	}
}

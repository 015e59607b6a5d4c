package cli

import "github.com/candor-ota/candor/manifests"

// Build is a build number of the command line.
func Build(arg string) (manifests.Build, error) {
	b, err := manifests.ParseBuild(arg)
	if err != nil {
		return 0, Wrong(err)
	}
	return b, nil
}

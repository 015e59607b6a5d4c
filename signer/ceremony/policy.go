package ceremony

import (
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
)

// CheckPolicy applies the rules that join a new release to those that are
// live (lint.CheckSuccession), and gives the first that it breaks.
func CheckPolicy(next manifests.Release, live []manifests.Release) error {
	path := layout.ReleasePath(next.Product, next.Build)
	return lint.CheckSuccession(path, &next, pointers(live), true).First()
}

func pointers(list []manifests.Release) []*manifests.Release {
	out := make([]*manifests.Release, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

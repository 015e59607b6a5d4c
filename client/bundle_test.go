package main

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/bundle"
	"github.com/candor-ota/candor/manifests/layout"
)

// bundle puts the tree into a file: bundle FILE PRODUCT BUILD
func (w *tree) bundle(ts *testscript.TestScript, _ bool, args []string) {
	build, err := manifests.ParseBuild(args[2])
	ts.Check(err)
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	out, err := bundle.NewWriter(file, bundle.Header{Product: manifests.Product(args[1]), Build: build})
	ts.Check(err)
	for _, part := range []string{layout.MetadataDir + "/", layout.TargetsDir + "/r", layout.BlobsDir + "/"} {
		for _, name := range slices.Sorted(maps.Keys(w.files)) {
			if strings.HasPrefix(name, part) {
				ts.Check(out.Add(name, int64(len(w.files[name])), bytes.NewReader(w.files[name])))
			}
		}
	}
	ts.Check(out.Close())
	ts.Check(file.Close())
}

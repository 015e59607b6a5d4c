package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/figure"
)

// eventSize comes to 1,000 live releases; a product has at most 100.
var eventSize = publishedSize{products: 20, releases: 50}

// eventBench measures the signer's program as an engineer waits for it, start
// of the process included, and what the list of releases costs a handset.
func eventBench(ctx context.Context, dir string) ([]figure.Row, error) {
	tree, program, file := filepath.Join(dir, "tree"), filepath.Join(dir, "candor-signer"), filepath.Join(dir, "event.json")
	if _, err := manyProducts(tree, eventSize); err != nil {
		return nil, err
	}
	if err := command(ctx, "go", "build", "-o", program, "github.com/candor-ota/candor/signer"); err != nil {
		return nil, err
	}
	root := []string{"--keys", filepath.Join(dir, "keys"), "--root", filepath.Join(tree, "metadata", "1.root.json")}
	made, err := linted(ctx, program, append(root, "withdraw", lintName(0), "40", "--from-dir", tree, "--out", file)...)
	if err != nil {
		return nil, err
	}
	shown, err := linted(ctx, program, append(root, "event", "show", file)...)
	if err != nil {
		return nil, err
	}
	verified, size, err := verifyList(tree, manifests.Product(lintName(0)))
	if err != nil {
		return nil, err
	}
	return []figure.Row{
		figure.Of("live releases", float64(eventSize.products*eventSize.releases), ""),
		figure.AtMost("an event made from the published tree", made.Seconds(), "s", 1),
		figure.AtMost("an event opened, checked and shown", shown.Seconds(), "s", 1),
		figure.Of(fmt.Sprintf("list of %d live releases", eventSize.releases), float64(size), "bytes"),
		figure.AtMost("the same verified by the library of handsets, on a core of this machine", verified.Seconds()*1000, "ms", 20),
	}, nil
}

// verifyList reads and verifies a product's list of releases as go-tuf does it
// within a handset's refresh, and gives the mean of many times.
func verifyList(tree string, p manifests.Product) (mean time.Duration, size int, err error) {
	const times = 50
	read := func(role string) ([]byte, error) {
		return os.ReadFile(filepath.Join(tree, layout.MetadataFile(role, 1)))
	}
	top, err := read(metadata.TARGETS)
	list, err2 := read(layout.ReleasesRole(p))
	if err = errors.Join(err, err2); err != nil {
		return 0, 0, err
	}
	targets, err := metadata.Targets().FromBytes(top)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	for range times {
		m, err := metadata.Targets().FromBytes(list)
		if err == nil {
			err = targets.VerifyDelegate(layout.ReleasesRole(p), m)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return time.Since(began) / times, len(list), nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/patch"
	"github.com/candor-ota/candor/signer/build"
)

// The steps of the process that builds, and where it puts the patch: by name,
// since one that saves little would not be kept among the blobs.
const (
	deltaCommand = "delta-build"
	deltaIndex   = "index"
	deltaPatch   = "patch"
	tableFile    = "table"
	bodyFile     = "body"
)

// deltaMade is what that process prints.
type deltaMade struct {
	Image      manifests.Image `json:",omitzero"`
	Old        manifests.Image `json:",omitzero"`
	PatchBytes int64           `json:",omitzero"`
	Seconds    float64         `json:",omitzero"` // of the patch
}

// serveDelta is one step: args are the step, the old image, the new image and
// the directory.
func serveDelta(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("%s STEP OLD NEW DIR", deltaCommand)
	}
	run := map[string]func(context.Context, string, string, string) (deltaMade, error){deltaIndex: makeIndexes, deltaPatch: makePatch}[args[0]]
	if run == nil {
		return fmt.Errorf("%s: no step %s", deltaCommand, args[0])
	}
	made, err := run(context.Background(), args[1], args[2], args[3])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(made)
}

func makeIndexes(ctx context.Context, old, next, dir string) (made deltaMade, err error) {
	for path, m := range map[string]*manifests.Image{old: &made.Old, next: &made.Image} {
		result, err := build.Image(ctx, build.Options{Source: path, Dir: dir})
		if err != nil {
			return made, err
		}
		*m = result.Image("system")
	}
	return made, nil
}

func makePatch(ctx context.Context, old, next, dir string) (made deltaMade, err error) {
	var files [2]*os.File
	var sizes [2]int64
	for i, path := range []string{old, next} {
		if files[i], err = os.Open(path); err != nil {
			return made, err
		}
		defer func() { err = errors.Join(err, files[i].Close()) }()
		if sizes[i], err = sizeOf(path); err != nil {
			return made, err
		}
	}
	body, err := os.Create(filepath.Join(dir, bodyFile))
	if err != nil {
		return made, err
	}
	began := time.Now()
	table, err := patch.Build(ctx, patch.Options{Old: files[0], OldSize: sizes[0], New: files[1], NewSize: sizes[1], Body: body})
	if err = errors.Join(err, body.Close()); err != nil {
		return made, err
	}
	made.Seconds = time.Since(began).Seconds()
	file, err := table.MarshalBinary()
	if err != nil {
		return made, err
	}
	made.PatchBytes = int64(len(file)) + table.BodySize
	return made, os.WriteFile(filepath.Join(dir, tableFile), file, 0o600)
}

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/attest"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/importer"
	"github.com/candor-ota/candor/signer/keyring"
)

// attachFlags say what a release carries about its own making.
type attachFlags struct {
	provenance, sbom string
	make             bool
	builder          string
}

func (f *attachFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.provenance, "provenance", "", "in-toto statement with SLSA provenance about the images, to be signed with the release by its hash")
	cmd.Flags().StringVar(&f.sbom, "sbom", "", "list of what is inside, SPDX or CycloneDX in JSON, to be signed with the release by its hash")
	cmd.Flags().BoolVar(&f.make, "make-provenance", false, "write such a statement: the images and what they were built from, by hash")
	cmd.Flags().StringVar(&f.builder, "builder-id", "", "URI that names who builds, for --make-provenance")
}

func (f *attachFlags) check() error {
	switch {
	case f.make && f.provenance != "":
		return cli.Usagef("give --provenance FILE or --make-provenance, not both")
	case f.make != (f.builder != ""):
		return cli.Usagef("--make-provenance and --builder-id go together")
	}
	return nil
}

// attach fills provenance and SBOM of a release whose images are known, and puts
// both beside its other blobs. sources are the files that it was built from.
func (f *attachFlags) attach(r *manifests.Release, sources []string, dir string) error {
	statement, err := f.statement(r, sources)
	if err != nil {
		return err
	}
	if statement != nil {
		blob, err := attest.CheckProvenance(statement, r.Images)
		if err != nil {
			return fmt.Errorf("provenance %s: %w", f.provenance, err)
		}
		if err := keep(dir, blob, statement); err != nil {
			return err
		}
		r.Provenance = &blob
	}
	if f.sbom == "" {
		return nil
	}
	data, err := keyring.ReadFile(f.sbom, manifests.MaxSBOMBytes)
	if err != nil {
		return err
	}
	sbom, err := attest.CheckSBOM(data)
	if err != nil {
		return fmt.Errorf("SBOM %s: %w", f.sbom, err)
	}
	r.SBOM = &sbom
	return keep(dir, sbom.Blob(), data)
}

func (f *attachFlags) statement(r *manifests.Release, sources []string) ([]byte, error) {
	switch {
	case f.provenance != "":
		return keyring.ReadFile(f.provenance, manifests.MaxProvenanceBytes)
	case !f.make:
		return nil, nil
	}
	var inputs []attest.Input
	for _, path := range sources {
		sum, err := hashFile(path)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, attest.Input{Name: filepath.Base(path), SHA256: sum})
	}
	for _, m := range r.Images {
		for _, p := range m.Patches {
			inputs = append(inputs, attest.Input{Name: "older " + string(m.Slot), SHA256: p.FromSHA256})
		}
	}
	return attest.MakeProvenance(f.builder, r, inputs)
}

// epochVariable is the moment, in Unix seconds, that a build is dated, as
// reproducible-builds.org has it. Whoever builds again with the same moment and
// the same inputs gets the same bytes.
const epochVariable = "SOURCE_DATE_EPOCH"

// buildTime is that moment, or now.
func (a *app) buildTime() (time.Time, error) {
	text := os.Getenv(epochVariable)
	if text == "" {
		return a.now(), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, cli.Usagef("%s is %.40q; expected Unix seconds, such as `git log -1 --format=%%ct` prints", epochVariable, text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// keep writes a blob under its name.
func keep(dir string, b manifests.Blob, data []byte) error {
	path := filepath.Join(dir, layout.BlobFile(b.SHA256))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return keyring.WriteFile(path, data, 0o644)
}

// hashFile reads a file of any size.
func hashFile(path string) (sum manifests.SHA256, err error) {
	file, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return sum, fmt.Errorf("%s: %w", path, err)
	}
	return manifests.SHA256(hash.Sum(nil)), nil
}

// sources lists the files that a release is built from, beside its raw images,
// which the statement is about.
func (f buildFlags) sources(file string) ([]string, error) {
	out := []string{file}
	for _, path := range []string{f.voteKeys, f.payload.file} {
		if path != "" {
			out = append(out, path)
		}
	}
	images, err := slotPaths(f.images)
	if err != nil {
		return nil, err
	}
	for _, s := range images {
		parts, err := filepath.Glob(s.path)
		if err != nil {
			return nil, cli.Usagef("--image %s: %w", s.path, err)
		}
		for _, part := range parts {
			kind, err := importer.Detect(part)
			if err != nil {
				return nil, err
			}
			if kind != importer.Raw {
				out = append(out, part)
			}
		}
	}
	return out, nil
}

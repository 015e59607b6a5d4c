package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/importer"
)

// payloadFlags name a full payload, all of whose partitions are images.
type payloadFlags struct {
	file string
	only []manifests.Name
	list []string // --only as it was typed

	holes bool // of split sparse images
}

func (f *payloadFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "payload", "", "full payload.bin, or the OTA zip that holds it: each partition is the image of the slot of its name")
	cmd.Flags().BoolVar(&f.holes, "holes", false, "what none of the files of a split sparse image fills is meant to be empty")
	cmd.Flags().StringSliceVar(&f.list, "only", nil, "of the payload, only these partitions: NAME,NAME…")
}

func (f *payloadFlags) names() ([]manifests.Name, error) {
	out := f.only
	for _, s := range f.list {
		name, err := manifests.ParseName(s)
		if err != nil {
			return nil, cli.Usagef("--only: %w", err)
		}
		out = append(out, name)
	}
	if len(out) > 0 && f.file == "" && len(f.list) > 0 {
		return nil, cli.Usagef("--only chooses from a --payload")
	}
	return out, nil
}

// importing holds raw copies of images that were given in another form, for as
// long as a command runs.
type importing struct {
	app   *app
	under string // directory in which they are made; "" is that of temporary files
	holes bool   // see payloadFlags
	dirs  []string
}

func (a *app) importing(under string) *importing { return &importing{app: a, under: under} }

// all gives the images as raw ones, and with them the partitions of the payload.
func (i *importing) all(ctx context.Context, images []slotPath, p payloadFlags) ([]slotPath, error) {
	only, err := p.names()
	if err != nil {
		return nil, err
	}
	i.holes = p.holes
	var out []slotPath
	for _, s := range images {
		if s.path, err = i.raw(ctx, s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if p.file == "" {
		return out, nil
	}
	partitions, err := i.partitions(ctx, p.file, only)
	if err != nil {
		return nil, err
	}
	for _, s := range partitions {
		if slices.ContainsFunc(out, func(o slotPath) bool { return o.slot == s.slot }) {
			return nil, cli.Usagef("slot %s is given twice, by --image and by --payload; leave it out with --only", s.slot)
		}
		out = append(out, s)
	}
	if len(out) > manifests.MaxImages {
		return nil, cli.Usagef("--payload %s: %d images; a release has at most %d, choose with --only", p.file, len(out), manifests.MaxImages)
	}
	return out, nil
}

// raw gives the path of a raw image: the one given, or a copy of a sparse one.
func (i *importing) raw(ctx context.Context, s slotPath) (string, error) {
	files := s.parts
	if files == nil {
		kind, err := importer.Detect(s.path)
		if err != nil || kind != importer.Sparse {
			return s.path, err
		}
		files = []string{s.path}
	}
	made, err := i.run(ctx, files, importer.Options{Name: s.slot, Holes: i.holes})
	if err != nil {
		return "", err
	}
	return made[0].Path, nil
}

// partitions gives those of a payload, as images of the slots of their names.
func (i *importing) partitions(ctx context.Context, path string, only []manifests.Name) ([]slotPath, error) {
	made, err := i.run(ctx, []string{path}, importer.Options{Only: only})
	if err != nil {
		return nil, err
	}
	var out []slotPath
	for _, p := range made {
		out = append(out, slotPath{slot: p.Name, path: p.Path})
	}
	return out, nil
}

func (i *importing) run(ctx context.Context, files []string, o importer.Options) ([]importer.Partition, error) {
	if i.under != "" {
		if err := os.MkdirAll(i.under, 0o755); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(i.under, ".import-*")
	if err != nil {
		return nil, err
	}
	i.dirs = append(i.dirs, dir)
	o.Dir = dir
	return i.app.importFiles(ctx, files, o)
}

// close removes the copies.
func (i *importing) close() error {
	var errs []error
	for _, dir := range i.dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// importFiles imports with a bar: one file, or those of a split sparse image.
func (a *app) importFiles(ctx context.Context, files []string, o importer.Options) ([]importer.Partition, error) {
	b := a.progress("importing "+files[0], -1)
	o.Progress = func(name manifests.Name, done, total int64) {
		b.Describe("importing " + string(name))
		b.ChangeMax64(total)
		ignoreBar(b.Set64(done))
	}
	var made []importer.Partition
	var err error
	if len(files) > 1 {
		made, err = importer.ImportParts(ctx, files, o)
	} else {
		made, err = importer.Import(ctx, files[0], o)
	}
	if err != nil {
		return nil, err
	}
	return made, b.Exit()
}

// slotsOf are the slots that a release has images for.
func slotsOf(r *manifests.Release) []manifests.Name {
	var out []manifests.Name
	for _, m := range r.Images {
		out = append(out, m.Slot)
	}
	return out
}

// imported is the result of image import as --json prints it.
type imported struct {
	Partitions []importer.Partition `json:"partitions"`
}

func (a *app) imageCommand() *cobra.Command {
	return cli.Group("image", "Turn Android's images into raw ones", a.imageImport())
}

func (a *app) imageImport() *cobra.Command {
	var out, name string
	var only []string
	var holes bool
	cmd := &cobra.Command{
		Use:   "import FILE... --out DIR",
		Short: "Write the raw partitions of a sparse image, a full payload.bin or an OTA zip",
		Long: `Write the raw partitions of an Android sparse image, of a full payload.bin, or of
the OTA zip that holds one, as DIR/NAME.img, and print sizes and hashes. Every
checksum in the file is verified; the payload's own signature is not, since what
handsets trust is the release that your engineers sign. Incremental payloads are
refused: import the full one of the same build.

Several files are one sparse image that was split, such as
super.img_sparsechunk.0 and on. No two may fill the same block, and what none
fills is refused, since a file may be missing, unless you say --holes.

release build and event sign import by themselves; this command is there to
look at what they will use.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return cli.Usagef("--out: name the directory to write to")
			}
			o := importer.Options{Dir: out, Holes: holes}
			f := payloadFlags{file: args[0], list: only}
			var err error
			if o.Only, err = f.names(); err != nil {
				return err
			}
			if name != "" {
				if o.Name, err = manifests.ParseName(name); err != nil {
					return cli.Usagef("--name: %w", err)
				}
			}
			made, err := a.importFiles(cmd.Context(), args, o)
			if err != nil {
				return err
			}
			var lines []string
			for _, p := range made {
				lines = append(lines, fmt.Sprintf("%-16s %14d bytes  %s  %s", p.Name, p.Size, p.SHA256, p.Path))
			}
			return a.print(imported{made}, lines...)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for the raw images")
	cmd.Flags().StringSliceVar(&only, "only", nil, "of a payload, only these partitions: NAME,NAME…")
	cmd.Flags().BoolVar(&holes, "holes", false, "what none of the files of a split sparse image fills is meant to be empty")
	cmd.Flags().StringVar(&name, "name", "", "what the partition of a sparse image is called (by default, as its file)")
	return cmd
}

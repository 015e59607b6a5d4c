package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

// maxStale is how far back notBefore may lie when a release is built: pace
// counts from it, and a release that starts in the past has spent its pace.
const maxStale = 24 * time.Hour

// buildFlags are the wishes of the person who builds a release.
type buildFlags struct {
	images   []string // SLOT=PATH
	from     []string // SLOT=PATH, of older builds
	payload  payloadFlags
	attach   attachFlags
	voteKeys string
	out      string
	state    stateFlags
}

// built is the result of release build as --json prints it.
type built struct {
	proposalInfo
	Release string            `json:"release"` // file of the canonical document
	Blobs   string            `json:"blobs"`   // directory to give to event publish
	Images  []manifests.Image `json:"images"`
	Patches []patchInfo       `json:"patches"` // all that were made, also those not worth it
}

func (a *app) releaseCommand() *cobra.Command {
	return cli.Group("release", "Build releases", a.releaseBuild())
}

func (a *app) releaseBuild() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build RELEASE.yaml --image SLOT=PATH… --out DIR --server URL",
		Short: "Build a release out of images and propose it",
		Long: `Build a release: cut each image into chunks, write index and pack,
fill the release document with their hashes, and propose it as the next release of its product. The privacy label is
compared with every live build that the release may be installed over. With
--from, a patch is made from each image of an older build, and dropped where it
saves less than a fifth of what a handset downloads without it. With
--provenance and --sbom the release carries a statement of how it was built and a
list of what is inside, by hash; each is checked to be what it is said to be.

The same inputs give the same bytes on every machine, if the build is dated:
SOURCE_DATE_EPOCH in the environment is its time, in Unix seconds, instead of now.
Nothing is uploaded; "event open" and "event publish" do that.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.out == "" || len(f.images) == 0 && f.payload.file == "" {
				return cli.Usagef("--out and one of --image and --payload are needed")
			}
			if err := f.attach.check(); err != nil {
				return err
			}
			return a.buildRelease(cmd.Context(), args[0], f)
		},
	}
	f.state.register(cmd)
	cmd.Flags().StringArrayVar(&f.images, "image", nil, "image, raw or Android sparse, as SLOT=PATH; once for each slot")
	f.payload.register(cmd)
	f.attach.register(cmd)
	cmd.Flags().StringArrayVar(&f.from, "from", nil, "image of an older build to make a patch from, as SLOT=PATH; as often as there are builds worth it")
	cmd.Flags().StringVar(&f.voteKeys, "vote-keys", "", "public vote keys of this build, exported by the server; without them outcomes are not counted")
	cmd.Flags().StringVar(&f.out, "out", "", "directory for blobs, document and proposal")
	return cmd
}

func (a *app) buildRelease(ctx context.Context, file string, f buildFlags) (err error) {
	images, err := slotPaths(f.images)
	if err != nil {
		return err
	}
	olderOnes, err := olderPaths(f.from)
	if err != nil {
		return err
	}
	made, err := a.buildTime()
	if err != nil {
		return err
	}
	release, err := a.draft(file, f.voteKeys, made)
	if err != nil {
		return err
	}
	state, err := a.load(ctx, f.state)
	if err != nil {
		return err
	}
	live, err := state.Releases(release.Product)
	if err != nil {
		return err
	}
	// before hours of building; AddRelease checks again with the images
	if err := ceremony.CheckPolicy(*release, live); err != nil {
		return err
	}
	base := fmt.Sprintf("%s-%d", release.Product, release.Build)
	proposal := filepath.Join(f.out, base+".proposal.json")
	if err := refuseExisting(proposal); err != nil {
		return err
	}
	raws := a.importing(f.out)
	defer func() { err = errors.Join(err, raws.close()) }()
	if images, err = raws.all(ctx, images, f.payload); err != nil {
		return err
	}
	patches, err := a.buildBlobs(ctx, release, raws, buildInput{images, olderOnes, f.out})
	if err != nil {
		return err
	}
	sources, err := f.sources(file)
	if err == nil {
		err = f.attach.attach(release, sources, f.out)
	}
	if err != nil {
		return err
	}
	document, err := document(release)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	p, err := ceremony.AddRelease(state, ceremony.ReleaseOptions{Document: document, Now: made})
	if err != nil {
		return err
	}
	result := built{Release: filepath.Join(f.out, base+".release.json"), Blobs: f.out, Images: release.Images, Patches: patches}
	if err := keyring.WriteFile(result.Release, document, 0o644); err != nil {
		return err
	}
	if err := a.save(p, proposal); err != nil {
		return err
	}
	if err := a.ring().NoteBuilt(p.Hash()); err != nil {
		return err
	}
	result.proposalInfo = infoOfProposal(proposal, p)
	lines := []string{"release:     " + result.Release, "blobs:       " + result.Blobs}
	for _, p := range patches {
		lines = append(lines, p.line())
	}
	return a.print(result, append(lines, result.lines()...)...)
}

// buildInput is what the blobs of a release are made from, and where to.
type buildInput struct {
	images, older []slotPath
	dir           string
}

// buildBlobs fills the images of the release.
func (a *app) buildBlobs(ctx context.Context, release *manifests.Release, raws *importing, in buildInput) ([]patchInfo, error) {
	var slots []manifests.Name
	for _, s := range in.images {
		slots = append(slots, s.slot)
	}
	from, err := a.older(ctx, raws, in.older, slots)
	if err != nil {
		return nil, err
	}
	if release.Images, err = a.buildImages(ctx, in.images, in.dir); err != nil {
		return nil, err
	}
	return a.buildPatches(ctx, from, in.images, release.Images, in.dir)
}

// draft reads the author's YAML and fills what is known before the images.
func (a *app) draft(file, voteKeys string, made time.Time) (*manifests.Release, error) {
	data, err := keyring.ReadFile(file, manifests.MaxReleaseBytes)
	if err != nil {
		return nil, err
	}
	r, err := manifests.DraftRelease(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(r.Images) != 0 {
		return nil, fmt.Errorf("%s: field \"images\": is filled from --image; leave it out", file)
	}
	if r.NotBefore.IsZero() {
		r.NotBefore = manifests.At(made)
	}
	if a.now().Sub(r.NotBefore.Time) > maxStale {
		return nil, fmt.Errorf("%s: field \"notBefore\": %s is more than a day ago, so its pace would be spent; leave it out to mean now (or "+epochVariable+")", file, r.NotBefore)
	}
	r.Start(r.NotBefore)
	if voteKeys != "" {
		if err := readVoteKeys(voteKeys, r); err != nil {
			return nil, fmt.Errorf("%s: %w", voteKeys, err)
		}
	}
	return r, nil
}

// voteKeyFile is what the server exports for one build.
type voteKeyFile struct {
	Product manifests.Product    `json:"product"`
	Build   manifests.Build      `json:"build"`
	Primary manifests.VoteKeySet `json:"primary"`
	Spare   manifests.VoteKeySet `json:"spare"`
}

func readVoteKeys(path string, r *manifests.Release) error {
	data, err := keyring.ReadFile(path, 1<<16)
	if err != nil {
		return err
	}
	var f voteKeyFile
	if err := strict.Decode(data, 1<<16, &f); err != nil {
		return fmt.Errorf("vote keys: %w", err)
	}
	if f.Product != r.Product || f.Build != r.Build {
		return fmt.Errorf("vote keys of %s build %d, but the release is %s build %d", f.Product, f.Build, r.Product, r.Build)
	}
	seen := map[manifests.VoteKey]bool{}
	for _, set := range []manifests.VoteKeySet{f.Primary, f.Spare} {
		for _, k := range []manifests.VoteKey{set.Attempt, set.Trial, set.Refusal, set.Regression} {
			if err := vote.CheckKey(k); err != nil {
				return fmt.Errorf("vote keys: %w", err)
			}
			if seen[k] {
				return errors.New("vote keys: one key stands for two classes")
			}
			seen[k] = true
		}
	}
	r.Votes.Primary, r.Votes.Spare = &f.Primary, &f.Spare
	return nil
}

// document checks a filled release and gives its canonical form.
func document(r *manifests.Release) ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return r.Canonical()
}

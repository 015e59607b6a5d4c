package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

// signFlags are the wishes of one signer.
type signFlags struct {
	key          string
	images       []string // SLOT=PATH
	from         []string // SLOT=PATH, of older builds
	payload      payloadFlags
	builder      bool
	withoutImage bool
	yes          bool
}

func (a *app) eventSign(at *cli.Connection) *cobra.Command {
	var f signFlags
	cmd := &cobra.Command{
		Use:   "sign FILE|ID --key NAME",
		Short: "Read a proposal in words and sign it",
		Long: `Read a proposal in words, then sign it with one key. The whole of it is checked
first, from the root that you trust. To sign, type the fingerprint words, having
compared them with the person who made the proposal; --yes skips the typing.

A release is not signed blind. Give your own copy of each image (raw or sparse)
with --image SLOT=PATH, or the payload with --payload: index and pack are computed again and must come out the same. Whoever built the release on this machine says --builder instead.
--without-image signs nevertheless; the proposal then says so to everybody.

Patches are computed again from the older images given with --from SLOT=PATH. One
whose older image you do not have is named to you as not recomputed: it is only a
way to the image that you did recompute, and can install nothing else.

A key that has signed already changes nothing, so an interrupted command may be run
again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.key == "" {
				return cli.Usagef("--key: name the key to sign with; `key list` shows yours")
			}
			p, err := a.find(cmd.Context(), args[0], at)
			if err != nil {
				return err
			}
			if err := a.signFound(cmd.Context(), p, f); err != nil {
				return err
			}
			return a.printFound(cmd.Context(), p)
		},
	}
	cmd.Flags().StringVar(&f.key, "key", "", "name of the key in your key directory")
	cmd.Flags().StringArrayVar(&f.images, "image", nil, "your own copy of an image, raw or Android sparse, as SLOT=PATH; once for each slot")
	cmd.Flags().StringVar(&f.payload.file, "payload", "", "your own copy of the full payload.bin, or the OTA zip that holds it")
	cmd.Flags().StringArrayVar(&f.from, "from", nil, "your own copy of an older image that the release has a patch from, as SLOT=PATH")
	cmd.Flags().BoolVar(&f.builder, "builder", false, "you built this release on this machine")
	cmd.Flags().BoolVar(&f.withoutImage, "without-image", false, "sign without looking at the images; the proposal will say so")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask to type the fingerprint")
	return cmd
}

// signFile signs the proposal in a file.
func (a *app) signFile(ctx context.Context, path string, p *ceremony.Proposal, f signFlags) error {
	return a.signFound(ctx, &found{Proposal: p, file: path}, f)
}

// signFound signs a proposal, and puts the signature where the proposal lies.
func (a *app) signFound(ctx context.Context, p *found, f signFlags) error {
	accept, err := a.accept(p.Proposal)
	if err != nil {
		return err
	}
	public, err := a.ring().Public(f.key)
	if err != nil {
		return err
	}
	switch err := p.CanSign(public, a.now()); {
	case errors.Is(err, ceremony.ErrAlreadySigned):
		if err := a.tell(fmt.Sprintf("key %s has signed already; nothing to do", f.key)); err != nil {
			return err
		}
		return a.ring().Trust(accept)
	case err != nil:
		return err
	}
	image, err := a.lookAtImages(ctx, p.Proposal, f)
	if err != nil {
		return err
	}
	if err := a.tell(p.Describe(a.now())...); err != nil {
		return err
	}
	if err := a.confirm(p.Proposal, f.yes); err != nil {
		return err
	}
	if err := a.signWith(ctx, f.key, p.Proposal, image); err != nil {
		return err
	}
	if err := p.keep(ctx); err != nil {
		return err
	}
	return a.ring().Trust(accept)
}

// keep puts what was said where the proposal lies: into the file as a whole,
// or to the server.
func (f *found) keep(ctx context.Context) error {
	if f.file != "" {
		return f.Write(f.file)
	}
	_, err := f.client.AddWords(ctx, f.id, f.Said()) // what it has already changes nothing
	return err
}

// accept checks the proposal against the trusted root, and gives the root that
// the key directory trusts from now on. The first root of a system is accepted
// by signing it.
func (a *app) accept(p *ceremony.Proposal) (keyring.Anchor, error) {
	if p.Kind == ceremony.KindInit {
		born, err := p.Anchor()
		if err != nil {
			return keyring.Anchor{}, err
		}
		have, err := a.ring().Anchor()
		if err == nil && !have.Same(born) {
			return keyring.Anchor{}, fmt.Errorf("%w; a new system needs a key directory of its own", ceremony.ErrOtherRoot)
		}
		return born, ignoreMissing(err)
	}
	anchor, err := a.anchor()
	if err != nil {
		return keyring.Anchor{}, err
	}
	if err := p.TrustedBy(anchor); err != nil {
		return keyring.Anchor{}, err
	}
	have, err := a.ring().Anchor()
	if err == nil {
		return have, p.TrustedBy(have)
	}
	return anchor, ignoreMissing(err)
}

// confirm has the signer type the fingerprint, so that nobody signs by habit.
func (a *app) confirm(p *ceremony.Proposal, yes bool) error {
	if err := a.tell("", "Fingerprint: "+p.Words()); err != nil || yes {
		return err
	}
	if err := a.tell("Compare it with the person who made the proposal, then type it to sign:"); err != nil {
		return err
	}
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && strings.TrimSpace(line) == "" {
		return cli.Usagef("nothing typed; not signed (--yes signs without typing)")
	}
	if !manifests.SameWords(line, p.Words()) {
		return errors.New("the words differ; not signed")
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/status"
	"github.com/candor-ota/candor/manifests"
)

func consentCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "consent", Short: "Whether outcomes of updates are reported (off until turned on)"}
	turn := func(on bool, use, short, words string) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := o.ask(cmd, status.Request{Do: status.Consent, On: &on})
			if err != nil {
				return err
			}
			if on && r.Lab {
				words += "\nThis handset is in lab mode: it reports by name until `lab off`."
			}
			return o.print(cmd, map[string]bool{"reporting": on}, words)
		}}
	}
	cmd.AddCommand(
		turn(true, "on", "Report outcomes from now on, unlinkably and counted once",
			"Outcomes of updates are reported from now on. `consent off` ends it and deletes the enrolment."),
		turn(false, "off", "Report nothing, delete the enrolment and the keys",
			"Nothing is reported any more; the enrolment and its keys are deleted."),
		o.consentShow(),
	)
	return cmd
}

func (o *options) consentShow() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show whether reports are on, and every report that was sent, to the letter", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(h *handset.Handset) error {
				sent := h.Sent()
				words := "Reports are off."
				if h.Reporting() {
					words = "Reports are on."
					if h.Lab().On {
						words = "Reports are on, by name: this handset is in lab mode."
					}
				}
				for _, s := range sent {
					words += "\n" + s.String()
				}
				return o.print(cmd, map[string]any{"reporting": h.Reporting(), "sent": sent}, words)
			})
		},
	}
}

func ownerCommands(o *options) []*cobra.Command {
	var pastPace, payForData bool
	now := &cobra.Command{
		Use: "now", Short: "Do not wait for this handset's turn", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.say(cmd, status.Request{Do: status.Now, PastPace: pastPace, PayForData: payForData})
		},
	}
	now.Flags().BoolVar(&pastPace, "past-pace", false, "a second confirmation: earlier than the makers thought wise")
	now.Flags().BoolVar(&payForData, "pay-for-data", false, "use a metered network")
	return []*cobra.Command{
		now,
		o.answer("accept", "Accept the notice of a build", status.Accept),
		o.answer("decline", "Decline a build", status.Decline),
		{
			Use: "later DURATION", Short: "Put an update off, such as for 3d", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				d, err := manifests.ParseDuration(args[0])
				if err != nil {
					return err
				}
				return o.say(cmd, status.Request{Do: status.Later, For: &d})
			},
		},
		{
			Use: "retry BUILD", Short: "Try a build again that did not work here", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				b, err := manifests.ParseBuild(args[0])
				if err != nil {
					return err
				}
				return o.say(cmd, status.Request{Do: status.Retry, Build: b})
			},
		},
	}
}

// say has the owner's word carried out.
func (o *options) say(cmd *cobra.Command, r status.Request) error {
	_, err := o.ask(cmd, r)
	return err
}

func (o *options) answer(use, short string, do status.Verb) *cobra.Command {
	return &cobra.Command{Use: use + " BUILD", Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		b, err := manifests.ParseBuild(args[0])
		if err != nil {
			return err
		}
		return o.say(cmd, status.Request{Do: do, Build: b})
	}}
}

func createCommand(o *options) *cobra.Command {
	var c handset.Factory
	var root, label, version string
	var images []string
	var build uint64
	var epoch uint32
	cmd := &cobra.Command{
		Use:   "create --factory [NAME=]IMAGE… --build N --root 1.root.json",
		Short: "Set a handset up as the factory does: slots, boot loader and trusted root",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(images) == 0 || root == "" || build == 0 {
				return errors.New("--factory, --build and --root are needed")
			}
			c.Metadata.Version, c.Metadata.Build, c.Metadata.SecurityEpoch = version, manifests.Build(build), manifests.SecurityEpoch(epoch)
			var err error
			if c.Images, err = imageFiles(images); err != nil {
				return err
			}
			if c.Root, err = os.ReadFile(root); err != nil {
				return err
			}
			if err := c.LoadLabel(label); err != nil {
				return err
			}
			if err := handset.Create(o.config, c); err != nil {
				return err
			}
			return o.print(cmd, map[string]string{"created": o.config}, "Made a handset that runs build "+c.Metadata.Build.String()+".")
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&images, "factory", nil, "an image that the first slot holds, such as boot=boot.img; without a name it is system")
	f.Uint64Var(&build, "build", 0, "build number of these images")
	f.Uint32Var(&epoch, "epoch", 0, "security epoch of these images")
	f.StringVar(&version, "version", "factory", "version of these images, for people")
	f.StringVar(&label, "label", "", "privacy label of these images (YAML: collects)")
	f.StringVar(&root, "root", "", "trusted root metadata")
	return cmd
}

// imageFiles reads --factory: image files by name.
func imageFiles(args []string) (map[manifests.Name]string, error) {
	out := map[manifests.Name]string{}
	for _, arg := range args {
		name, path, named := strings.Cut(arg, "=")
		if !named {
			name, path = "system", arg
		}
		n, err := manifests.ParseName(name)
		if err != nil {
			return nil, fmt.Errorf("--factory %q: %w", arg, err)
		}
		if _, twice := out[n]; twice {
			return nil, fmt.Errorf("--factory %q: image %s is given twice", arg, n)
		}
		out[n] = path
	}
	return out, nil
}

// at reads --at, the moment as of which metadata is verified.
func at(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	if err != nil {
		return t, fmt.Errorf("--at %q is not a time such as 2026-01-31T12:00:00Z", text)
	}
	return t, nil
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/handset"
)

func labCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "lab", Short: "Whether this handset tries builds for others, and reports by name (off until turned on)"}
	act := func(use, short string, do func(*cobra.Command, *handset.Handset) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(h *handset.Handset) error { return do(cmd, h) })
		}}
	}
	cmd.AddCommand(
		act("on", "Put this handset in lab mode, and show the hash that names it to rollouts", func(cmd *cobra.Command, h *handset.Handset) error {
			failure := h.LabOn(cmd.Context())
			if l := h.Lab(); l.On { // also where only the enrolment failed
				if err := o.print(cmd, l, labMeans+labWords(l)); err != nil {
					return err
				}
			}
			return failure
		}),
		act("off", "Destroy the lab id, and report nothing by name", func(cmd *cobra.Command, h *handset.Handset) error {
			if err := h.LabOff(cmd.Context()); err != nil {
				return err
			}
			words := "This handset is not in lab mode; its lab id is destroyed. Lab rollouts do not reach it, and nothing is reported by name."
			if h.Reporting() {
				words += "\nOutcomes are reported as votes again, as `consent on` asked."
			}
			return o.print(cmd, h.Lab(), words)
		}),
		act("show", "Show whether it is on, the hash, and every report that was sent by name", func(cmd *cobra.Command, h *handset.Handset) error {
			l := h.Lab()
			return o.print(cmd, l, labWords(l))
		}),
	)
	return cmd
}

const labMeans = `This handset is in lab mode. That means:
  - It reports BY NAME. Whether a build works here is signed with this handset's
    key, and operators see which handset it was. One failure here can stop a rollout.
  - Rollouts for single handsets reach it, whatever their share.
  - The pace that the engineers signed does not bind it where the release allows
    that (labAhead): it may get a build before anybody else.
  - It casts no votes. Votes that were waiting are destroyed.
` + "`lab off` ends it.\n\n"

func labWords(l handset.Lab) string {
	words := "This handset is not in lab mode."
	if l.On {
		words = fmt.Sprintf("Lab mode is on. Put this hash into audience.lab of a plan:\n%s\n", l.Hash)
		if l.Reporting {
			words += "It reports by name; operators know it as device key\n" + l.DeviceKey
		} else {
			words += "It takes part in lab rollouts, but it cannot report: no enrolment. Name the \"credential\" of a\nlab batch in the configuration, and say `lab on` again."
		}
	}
	if l.Waiting > 0 {
		words += fmt.Sprintf("\nReports that wait: %d.", l.Waiting)
	}
	for _, r := range l.Refused {
		words += "\nRefused: " + r
	}
	for _, s := range l.Sent {
		words += "\n" + s.String()
	}
	return words
}

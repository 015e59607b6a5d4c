package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (a *app) eventReject(at *cli.Connection) *cobra.Command {
	var key, reason string
	cmd := &cobra.Command{
		Use:   `reject FILE|ID --key NAME --reason "…"`,
		Short: "Say with your key that you will not sign, and why",
		Long: `Say with your key that you will not sign, and why. Everybody who reads the proposal
sees it. When so many have rejected that the others are too few, the event is over.
Signing later takes it back; a signature cannot be taken back.

Without --key it is the word of your token alone, for an event on the server: it is
shown apart, and ends the event only if you opened it or are an admin.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return cli.Usagef("--reason: say why")
			}
			p, err := a.find(cmd.Context(), args[0], at)
			if err != nil {
				return err
			}
			switch {
			case key != "":
				err = a.rejectFound(cmd.Context(), p, key, reason)
			case p.file != "":
				err = cli.Usagef("--key: a rejection in a file is signed; `key list` shows your keys")
			default:
				_, err = p.client.Remark(cmd.Context(), p.id, reason, true)
			}
			if err != nil {
				return err
			}
			return a.printFound(cmd.Context(), p)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "name of the key in your key directory")
	cmd.Flags().StringVar(&reason, "reason", "", "why; everybody reads it")
	return cmd
}

func (a *app) rejectFound(ctx context.Context, p *found, name, reason string) error {
	if _, err := a.accept(p.Proposal); err != nil {
		return err
	}
	public, err := a.ring().Public(name)
	if err != nil {
		return err
	}
	if err := p.CanReject(public); err != nil {
		return err
	}
	key, err := a.unlock(ctx, name)
	if err != nil {
		return err
	}
	if err := errors.Join(p.Reject(ctx, key, reason, a.now()), key.Close()); err != nil {
		return err
	}
	return p.keep(ctx)
}

func (a *app) eventRemark(at *cli.Connection) *cobra.Command {
	var text string
	cmd := &cobra.Command{
		Use:   `remark ID --text "…"`,
		Short: "Say something about an event on the server, without a key",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if text == "" {
				return cli.Usagef("--text: say something")
			}
			client, err := at.Open()
			if err != nil {
				return err
			}
			if !eventID.MatchString(args[0]) {
				return fmt.Errorf("%s is not the ID of an event; `event list` shows them", args[0])
			}
			id, err := wholeID(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			v, err := client.Remark(cmd.Context(), id, text, false)
			if err != nil {
				return err
			}
			return a.print(v, eventLines(v)...)
		},
	}
	cmd.Flags().StringVar(&text, "text", "", "what to say; everybody reads it")
	return cmd
}

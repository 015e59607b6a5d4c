package main

import (
	"os"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

// The environment may say where the server is and where the token lies, never
// the token itself.
const (
	serverVariable = "CANDOR_SERVER"
	tokenVariable  = "CANDOR_TOKEN_FILE"
)

// connection is how commands reach the service's API.
type connection struct{ server, tokenFile string }

// flags adds them to a command and all below it.
func (c *connection) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&c.server, "server", "", "address of the server (or "+serverVariable+")")
	f.StringVar(&c.tokenFile, "token-file", "", "file that holds an API token of the server (or "+tokenVariable+")")
}

// address is the server's, as it was given.
func (c *connection) address() string { return either(c.server, os.Getenv(serverVariable)) }

// open makes a client; it sends nothing yet.
func (c *connection) open() (*operate.Client, error) {
	server, file := c.address(), either(c.tokenFile, os.Getenv(tokenVariable))
	if server == "" || file == "" {
		return nil, usagef("--server and --token-file are needed (or %s and %s in the environment)", serverVariable, tokenVariable)
	}
	token, err := keyring.ReadFile(file, 1<<16)
	if err != nil {
		return nil, err
	}
	return operate.New(server, string(token))
}

func either(given, otherwise string) string {
	if given != "" {
		return given
	}
	return otherwise
}

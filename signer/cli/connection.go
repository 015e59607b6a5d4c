package cli

import (
	"os"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

// The environment may say where the server is and where the token lies, never
// the token itself, by these names.
const (
	ServerVariable = "CANDOR_SERVER"
	TokenVariable  = "CANDOR_TOKEN_FILE"
)

// Connection is how commands reach the service's API, as flags gave it.
type Connection struct{ Server, TokenFile string }

// Flags adds the flags to a command and all below it.
func (c *Connection) Flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&c.Server, "server", "", "address of the server (or "+ServerVariable+")")
	f.StringVar(&c.TokenFile, "token-file", "", "file that holds an API token of the server (or "+TokenVariable+")")
}

// Address is the server's, as it was given or as the environment names it.
func (c *Connection) Address() string { return either(c.Server, os.Getenv(ServerVariable)) }

// Open makes a client; it sends nothing yet.
func (c *Connection) Open() (*operate.Client, error) {
	server, file := c.Address(), either(c.TokenFile, os.Getenv(TokenVariable))
	if server == "" || file == "" {
		return nil, Usagef("--server and --token-file are needed (or %s and %s in the environment)", ServerVariable, TokenVariable)
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

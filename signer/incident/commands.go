package incident

import (
	"strings"

	"github.com/candor-ota/candor/signer/ceremony"
)

// Placeholders stand in commands for what only their readers know.
const (
	ownKey    = "MY-KEY" // the name of their key in their key directory
	tokenFile = "TOKEN"  // the file of their API token
	dataDir   = "DIR"    // the data directory of the server
)

// signers are people of whom some have to sign.
type signers struct {
	names []string
	needs int
}

func holdersOf(h *ceremony.Held) signers { return signers{h.Names(), h.Threshold} }

// without leaves people out.
func (s signers) without(names ...string) signers {
	out := signers{needs: s.needs}
next:
	for _, n := range s.names {
		for _, gone := range names {
			if n == gone {
				continue next
			}
		}
		out.names = append(out.names, n)
	}
	return out
}

// sign is the line by which people sign a proposal.
func (b *book) sign(file string, who signers) Command {
	return Command{Line: "candor-signer event sign " + file + " --key " + ownKey, By: who.names, Needs: min(who.needs, len(who.names))}
}

// submit is the line by which a finished proposal is published.
func (b *book) submit(file string) Command {
	return Command{Line: "candor-signer event publish " + file + " --server " + b.c.Server + " --token-file " + tokenFile}
}

// signer is a line of candor-signer that reads the published tree.
func (b *book) signer(words ...string) Command {
	return Command{Line: "candor-signer " + strings.Join(words, " ") + " " + b.from()}
}

// operate is a line of candor-signer that needs a token.
func (b *book) operate(words ...string) Command {
	return Command{Line: "candor-signer " + strings.Join(words, " ") + " --server " + b.c.Server + " --token-file " + tokenFile}
}

// server is a line for whoever runs the server.
func server(words ...string) Command {
	return Command{Line: "candor-server " + strings.Join(words, " ") + " --data " + dataDir}
}

// renewed are people who all sign with the keys that are new.
func renewed(names []string) signers {
	out := signers{needs: len(names)}
	for _, n := range names {
		out.names = append(out.names, n+" with the new key")
	}
	return out
}

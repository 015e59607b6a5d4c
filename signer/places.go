package main

import (
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/kms"
	"github.com/candor-ota/candor/signer/keyring/program"
	"github.com/candor-ota/candor/signer/keyring/sshagent"
	"github.com/candor-ota/candor/signer/keyring/token"
)

// places are where keys can live besides the ring itself.
func (a *app) places() []keyring.Backend {
	return []keyring.Backend{sshagent.Backend{}, token.Backend{}, kms.Backend{}, program.Backend{Stderr: a.err}}
}

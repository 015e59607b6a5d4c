package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
)

// proposalInfo is a proposal as --json prints it.
type proposalInfo struct {
	Proposal     string                `json:"proposal"` // file, or ID on the server
	Kind         ceremony.Kind         `json:"kind"`
	Product      manifests.Product     `json:"product,omitempty"`
	Build        manifests.Build       `json:"build,omitempty"`
	SHA256       string                `json:"sha256"`
	Words        string                `json:"words"`
	Roles        []ceremony.RoleStatus `json:"roles"`
	Complete     bool                  `json:"complete"`
	WithoutImage []string              `json:"withoutImage"` // who signed a release without an own image
	Rejections   []rejectionInfo       `json:"rejections"`   // that were not taken back by signing
}

// rejectionInfo is a signed rejection.
type rejectionInfo struct {
	Holder string `json:"holder"`
	At     string `json:"at"`
	Reason string `json:"reason"`
}

func infoOfProposal(path string, p *ceremony.Proposal) proposalInfo {
	info := proposalInfo{
		Proposal: path, Kind: p.Kind, Product: p.Product, Build: p.Build, SHA256: p.Hash(), Words: p.Words(),
		Roles: p.Status(), Complete: p.Complete() == nil, WithoutImage: p.Unseen(), Rejections: []rejectionInfo{},
	}
	for _, r := range p.Rejected() {
		info.Rejections = append(info.Rejections, rejectionInfo{r.Holder, r.At, r.Reason})
	}
	return info
}

func (i proposalInfo) lines() []string {
	lines := []string{"proposal:    " + i.Proposal, "fingerprint: " + i.Words}
	for _, r := range i.Roles {
		line := fmt.Sprintf("%s version %d: %d of %d signatures", r.Role, r.Version, len(r.Signed), r.Threshold)
		if len(r.Signed) > 0 {
			line += " (" + strings.Join(r.Signed, ", ") + ")"
		}
		if !r.Complete {
			line += "; may sign: " + strings.Join(r.Waiting, ", ")
		}
		lines = append(lines, line)
		for _, words := range r.Missing {
			lines = append(lines, "  still needed: "+words)
		}
	}
	for _, name := range i.WithoutImage {
		lines = append(lines, "signed without own image: "+name)
	}
	for _, r := range i.Rejections {
		lines = append(lines, fmt.Sprintf("REJECTED by %s at %s: %s", r.Holder, r.At, ceremony.OneLine(r.Reason)))
	}
	if i.Complete {
		return append(lines, "complete: publish it with `event publish`")
	}
	return append(lines, "not complete: pass it on to the next person (the file, or with `event open` through the server)")
}

// save writes a new proposal; a file that exists may hold signatures and stays.
func (a *app) save(p *ceremony.Proposal, path string) error {
	if err := refuseExisting(path); err != nil {
		return err
	}
	return p.Write(path)
}

func refuseExisting(path string) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s exists already and may hold signatures; choose another name with --out", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (a *app) printProposal(path string, p *ceremony.Proposal) error {
	info := infoOfProposal(path, p)
	return a.print(info, info.lines()...)
}

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/peers"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// roll is where servers on one ledger find one another, and what is published.
type roll interface {
	store.Servers
	Head(ctx context.Context, name string) (store.Head, error)
}

// join puts this server among those on its ledger. A ledger in a file has none
// but this one, which holds the lock of the data directory.
func (a *app) join(ctx context.Context, d config.Dir, f config.File, roll roll, keys publish.Keys, master vote.Master, log *slog.Logger) (*peers.Member, error) {
	if f.Ledger.Postgres == nil {
		log.Info("this server works alone: its ledger is in a file")
		return nil, nil
	}
	home, err := homeOf(d)
	if err != nil {
		return nil, err
	}
	list, err := facts(f, keys, master)
	if err != nil {
		return nil, err
	}
	// Once something is published, keys are held against that instead (sameKeys):
	// servers that live may have started under the set before.
	if _, err := roll.Head(ctx, publish.TreeHead); err == nil {
		list = slices.DeleteFunc(list, func(one peers.Fact) bool { return one.Name == onlineKeys })
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	m, err := peers.Join(ctx, peers.Options{Roll: roll, Home: home, Alone: !f.Shared(), Facts: list, Name: host, Program: observe.Program(), Now: a.now, Log: log})
	if err != nil {
		return nil, err
	}
	if f.Shared() {
		log.Info("this server shares ledger and bucket with any number of others", "others", m.Stats().Others)
	} else {
		log.Info("this server works alone: its blobs are in a folder")
	}
	return m, nil
}

// sameKeys refuses to work beside others without the keys that sign what they
// publish. A server that works alone serves what is there, and says in its log
// why it publishes nothing.
func sameKeys(ctx context.Context, f config.File, heads publish.Heads, blobs config.Blobs, keys publish.Keys) error {
	if !f.Shared() {
		return nil
	}
	listed, err := publish.InForce(ctx, heads, blobs)
	if err != nil || listed == nil {
		return err
	}
	if _, err := keys.For(listed); err != nil {
		return fmt.Errorf("%w: %w", peers.ErrDiffers, err)
	}
	return nil
}

// onlineKeys names the fact that servers compare while nothing is published.
const onlineKeys = "set of online keys"

// homeOf names a data directory, for which one process at a time has the lock.
func homeOf(d config.Dir) (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(string(d))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(host + "\x00" + path))
	return hex.EncodeToString(sum[:16]), nil
}

// facts are what servers on one ledger have in common.
func facts(f config.File, keys publish.Keys, master vote.Master) ([]peers.Fact, error) {
	online, err := keys.Public()
	if err != nil {
		return nil, err
	}
	var bucket, oidc any
	if f.S3 != nil {
		bucket = []string{f.S3.Bucket, f.S3.Prefix}
	}
	if f.OIDC != nil {
		o := *f.OIDC
		o.ClientSecretFile = "" // stands where each server has it
		oidc = o
	}
	hooks := slices.Clone(f.Webhooks)
	for i := range hooks {
		hooks[i].SecretFile, hooks[i].CAFile = "", ""
	}
	var out []peers.Fact
	for _, one := range []struct {
		name  string
		must  bool
		value any
	}{
		{"vote master", true, "by which this is keyed"},
		{onlineKeys, true, online},
		{"bucket", true, bucket},
		{"votes", false, []any{f.Votes.KeyAge(), f.Votes.GraceTime(), f.Votes.Closing(), f.Votes.Shown()}},
		{"rollouts.approvalSharePPM", false, f.Rollouts.OnePerson()},
		{"rollouts.lookEvery", false, f.Rollouts.Look()},
		{"oidc", false, oidc},
		{"origin", false, f.Origin},
		{"sessions", false, f.Sessions},
		{"webhooks", false, hooks},
	} {
		fact, err := peers.NewFact(master, one.name, one.must, one.value)
		if err != nil {
			return nil, err
		}
		out = append(out, fact)
	}
	return out, nil
}

package incident

func (b *book) serverOwned() error {
	b.p.Title = "The server was owned: its keys, its database and its files were in wrong hands, and it may have lied to handsets for days."
	b.add(Step{
		Title: "Take it off the network, and do not repair it", Who: "whoever runs it",
		Why:  "What it says from now on is the thief's word. Keep its disk: the audit log and the published files show what he did. Point the name, or the proxy, to the new machine only.",
		Seen: "nothing answers at its address", State: Unseen, Found: "this tree is what was given, whoever serves it",
	})
	b.add(Step{
		Title: "A new server out of a backup from before", Who: "whoever runs it",
		Commands: []Command{
			server("init"), {Line: "cp -a SAVED/keys/*.pem " + dataDir + "/keys/"}, {Line: "cp -a SAVED/batches " + dataDir + "/"}, {Line: "candor-server restore BACKUP --to " + dataDir}, server("run"),
		},
		Why:  "Handsets find it under the same name. The old keys are needed for an hour, until root holders have named others; the vote master is the new one. A restore revokes every token, holds every rollout, and jumps a million numbers ahead of what anybody has seen of the old server. The bucket, if the thief could not write to it, is adopted as it is.",
		Seen: "`candor-server doctor` finds nothing failed", State: Unseen, Found: "a new server looks like the old one from here",
	})
	b.newOnlineKeys()
	b.add(Step{
		Title: "New tokens, people looked through", Who: "admins",
		Commands: []Command{server("token", "new", "--role", "admin", "--name", "NAME"), server("audit", "verify", "--at", "SEQ:HASH")},
		Why:      "The restore has revoked all tokens. The log must lead to the head that you noted before the theft.",
		Seen:     "the log is unbroken, and nobody is in it whom you do not know", State: Unseen, Found: "tokens are on the server",
	})
	b.add(Step{
		Title: "Resume rollouts by hand, and give the next build new vote keys", Who: "operators and engineers",
		Commands: []Command{b.operate("rollout", "list")},
		Why:      "Votes on builds from before may be made up, and their keys went with the old vote master; judge these builds without them. The next build takes its vote keys from the new server.",
		Seen:     "what is on offer is what you want", State: b.findings(), Found: b.findingsText(),
	})
	b.add(Step{
		Title: "Find out who was lied to", Who: "owners and support",
		Commands: []Command{{Line: "candor-client status"}},
		Why:      "Each rollouts document names the one before. A handset that was shown another one than all the rest has another head in its status, in six words, and says so when it sees that the chain was forked.",
		Seen:     "two handsets that should know the same show the same words", State: Unseen, Found: "handsets cannot be seen from here",
	})
	b.p.Stops = []string{
		"Everything that the old server, or whoever has its keys, says from now on.",
		"Withheld updates and split views: handsets take the new server's word at their next poll, whatever numbers they were shown.",
	}
	b.p.Leaves = []string{
		"What was installed meanwhile. It can only be builds that your engineers signed, at the signed pace.",
		"What the thief read: see \"what the thief of each part can do\" in server/README.md. It holds no vote of anybody, and no name of an owner.",
	}
	b.p.Owners = []string{
		"For these days updates may have been withheld. Nothing was installed that our engineers did not sign.",
		"Whoever reports outcomes: no report can be tied to a phone, also not with all that was stolen.",
	}
	b.exposure()
	b.check(keyWords(b.service())...)
	return nil
}

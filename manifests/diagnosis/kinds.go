package diagnosis

// Kind is one way in which something is refused. The list is closed: programs
// may branch on it, and a new kind is a new line of the table below.
type Kind string

// The kinds.
const (
	Holds        Kind = "" // nothing is wrong
	Expired      Kind = "expired"
	Threshold    Kind = "threshold"
	ForeignKey   Kind = "foreign-key"
	OtherBytes   Kind = "other-bytes"
	Rollback     Kind = "rollback"
	StaleMirror  Kind = "stale-mirror"
	Mismatch     Kind = "mismatch"
	Malformed    Kind = "malformed"
	RootChain    Kind = "root-chain"
	RootGap      Kind = "root-gap"
	OtherRoot    Kind = "other-root"
	Clock        Kind = "clock"
	Missing      Kind = "missing"
	WrongKind    Kind = "wrong-kind"
	NotDelegated Kind = "not-delegated"
	Network      Kind = "network"
	Rule         Kind = "rule"
	Local        Kind = "local"
)

// Case is what is said about a kind, whatever the file.
type Case struct {
	Kind  Kind
	Means string // one sentence, for anybody
	Maker Advice // for those who sign and publish
	Owner Advice // for whoever holds the handset
}

// Advice is what to do. Words and commands may hold {server}, {product},
// {role}, {file} and {root}.
type Advice struct {
	Do string
	// Command is one to copy, by who signs the role; "" where there is none.
	Command Commands
}

// Commands are by class of role, since each is renewed in another way.
type Commands struct {
	Any      string // whatever the role, where the others are empty
	Root     string // root and targets
	Releases string // releases-PRODUCT
	Online   string // what the server signs by itself
}

// Cases is the closed list, in the order in which it is explained.
func Cases() []Case { return cases }

// CaseOf gives the case of a kind; false: there is no such kind.
func CaseOf(k Kind) (Case, bool) {
	for _, c := range cases {
		if c.Kind == k {
			return c, true
		}
	}
	return Case{}, false
}

const (
	verify    = "candor-signer verify {server}"
	lookAgain = "candor-client once"
	online    = "candor-client doctor --online"
)

var cases = []Case{
	{
		Expired, "Everything that is signed says until when it counts, so that nobody can hold a handset at an old state for ever. That moment has passed.",
		Advice{"Have it signed again.", Commands{
			Root: "candor-signer renew {role} --server {server}", Releases: "candor-signer renew {product} --server {server}", Online: "candor-server doctor",
		}},
		Advice{"Look at this device's clock first. If it is right, the maker has to sign again; until then nothing is installed, and what runs goes on running.", Commands{Any: "date -u"}},
	},
	{
		Threshold, "A role counts only when enough of its people have signed. There are too few valid signatures on this file.",
		Advice{"Have the people who are missing sign, and publish it again.", Commands{Any: verify}},
		Advice{"Nothing was changed. Tell the maker: what is published was not signed by enough people.", Commands{Any: online}},
	},
	{
		ForeignKey, "A signature counts only if its key is listed for the role. This one is not: it belongs to somebody else, to another role, or was taken off the list.",
		Advice{"Compare the key ids with those of the role, and have it signed with the right keys.", Commands{Any: "candor-signer key list"}},
		Advice{"Nothing was changed. Tell the maker: somebody signed who may not.", Commands{Any: online}},
	},
	{
		OtherBytes, "A signature is there, by a key that may sign, but over other bytes: the file was changed after it was signed, or damaged on its way.",
		Advice{"Fetch the file again from where it was signed. If it differs there too, somebody changed it: find out who before you sign anything.", Commands{Any: verify}},
		Advice{"Nothing was changed. Try another network; if it stays so, tell the maker.", Commands{Any: lookAgain}},
	},
	{
		Rollback, "Versions only rise. This one is below a version that was verified before: somebody shows an old state.",
		Advice{"Find who serves the old file. A cache is emptied; a server that was restored from a backup must sign past the version that handsets have seen.", Commands{Any: verify}},
		Advice{"Nothing was changed. If it goes on for a day, tell the maker.", Commands{Any: lookAgain}},
	},
	{
		StaleMirror, "It is validly signed and still counts, but something newer was seen before: this copy lags behind.",
		Advice{"Wait for the copy to catch up, or empty its cache of {file}.", Commands{Any: verify}},
		Advice{"Nothing has to be done: the next look for news asks again.", Commands{Any: lookAgain}},
	},
	{
		Mismatch, "The level above signs which version, length and hash belong here, and these bytes are others: an old and a new state were mixed, or a copy spoiled the file.",
		Advice{"Empty the caches of {file} in front of the server. If the server itself gives these bytes, its files were changed.", Commands{Any: verify}},
		Advice{"Nothing was changed; the next look for news tries again, elsewhere if there are mirrors.", Commands{Any: lookAgain}},
	},
	{
		Malformed, "The file does not have the one form that is read: it is not JSON, too long, or has a field twice, an unknown one, a null or a fraction.",
		Advice{"Look at the file where it was made. If it is a page that a proxy or a login sends, ask for it past that.", Commands{}},
		Advice{"The network may be answering in the server's place: is it waiting for a login? Nothing was changed.", Commands{Any: lookAgain}},
	},
	{
		RootChain, "Each root must be signed by enough people of the root before it, else anybody could begin a new line. This one is not.",
		Advice{"Have the people of the root before sign it as well, and publish it again. Handsets stay at the root that they have.", Commands{Any: "candor-signer renew root --server {server}"}},
		Advice{"Nothing was changed. Tell the maker: his new root does not follow from the one that this handset trusts.", Commands{Any: online}},
	},
	{
		RootGap, "Roots are followed one by one, and one is missing between: who trusts an older one cannot get past the gap.",
		Advice{"Put the missing file back from an archive; roots are never deleted.", Commands{Any: verify}},
		Advice{"Nothing was changed. Tell the maker: {file} is missing on his server.", Commands{Any: online}},
	},
	{
		OtherRoot, "This belongs to another system than the one whose root is trusted here.",
		Advice{"Check address and root. Read the fingerprint of the root to a root holder over the telephone.", Commands{Any: "candor-signer show {root}"}},
		Advice{"Check the address of the server in the configuration. If it is right, do not use what it gives, and tell the maker.", Commands{}},
	},
	{
		Clock, "Dates are judged by the clock, and this machine's is wrong.",
		Advice{"Set the clock, then look again.", Commands{Any: "date -u"}},
		Advice{"Set the clock, then look again. Until then a signed time that was seen before stands in for it.", Commands{Any: "date -u"}},
	},
	{
		Missing, "A file that is named by what is signed, or that has to be there, is not on the server.",
		Advice{"Publish {file} again, or wait for the mirror to fetch it.", Commands{Any: verify}},
		Advice{"Check the address of the server in the configuration; if it is right, the next look for news tries again.", Commands{Any: lookAgain}},
	},
	{
		WrongKind, "The file says that it is something else than what was asked for.",
		Advice{"Look which file was put in its place; each kind has a name of its own.", Commands{Any: "candor-signer show {file}"}},
		Advice{"Nothing was changed. Tell the maker: his server gives the wrong file.", Commands{Any: lookAgain}},
	},
	{
		NotDelegated, "No role that is trusted gives anything into this one's hands.",
		Advice{"Check the name. A product is added by the root holders.", Commands{Releases: "candor-signer product add {product} --engineer ENGINEER.pub --engineer SECOND.pub --server {server}"}},
		Advice{"Check the product in the configuration; this maker has no such product.", Commands{}},
	},
	{
		Network, "Nobody answered, so nothing can be said about what is published.",
		Advice{"Check address, name resolution, certificates and proxy, then try again.", Commands{Any: "curl -I {server}/metadata/timestamp.json"}},
		Advice{"Check the network; the next look for news tries again.", Commands{Any: lookAgain}},
	},
	{
		Rule, "Signatures and dates hold, but it breaks a rule of the design, which keeps people from lone mistakes.",
		Advice{"Make it again with candor-signer, which obeys the rules.", Commands{Any: verify}},
		Advice{"Nothing was changed. Tell the maker.", Commands{}},
	},
	{
		Local, "Something on this handset itself is not as it should be.",
		Advice{"See what is said above.", Commands{}},
		Advice{"See what is said above.", Commands{Any: "candor-client status"}},
	},
}

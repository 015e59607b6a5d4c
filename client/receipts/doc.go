// Package receipts is the owner's receipt: a log, on the handset and nowhere
// else, of everything that an update did to it. Which build, signed by whose
// keys, what its privacy label changed, what the owner was asked and answered,
// why it came now and who asked, what it cost in bytes; and every request by
// which the handset reported, votes to the letter.
//
// Form. One line of canonical JSON for each entry. Each carries its number, the
// hash of the entry before and its own: SHA-256 of "candor-receipt-v1\n" and the
// line without its hash. Whoever changes, drops or adds a line in the middle
// breaks every hash after it. Whoever can write the file can also write all of
// it anew; an owner who once noted the newest hash sees that too, since it is
// then no longer in the log.
//
// Bounds. The newest 7,500 to 10,000 entries are kept, at most 8 MiB. When older
// ones go, an anchor stands in their place: how many they were, and the hash of
// the last, so that whoever kept a copy can still join the two.
//
// Failure. An entry is durable when Append returns. A power cut leaves a chain
// that holds up to the last such entry; an unfinished line after it is taken
// away, and a line says so. A log that does not hold is set aside under another
// name, and its successor begins by saying so. A log that cannot be written keeps its
// entries in memory and writes them with the next one. None of this stops an
// update: the agent logs the error and goes on. A report does wait, as nothing
// leaves the handset unless the receipt holds it.
//
// Privacy. Nothing here is ever uploaded. The package knows no network and no
// other package reads the file; nonce, MAC and keys of votes are not in it.
package receipts

package manifests

import "strings"

// fingerprintWords is how many words stand for a hash: eight bytes. That is
// enough to notice a mix-up or a swap when two people read them to each other;
// signatures and whole hashes, not the words, are what a program checks.
const fingerprintWords = 8

// The words are made by rule: the high half of a byte picks the first
// syllable, the low half the second. Consonants that sound alike on a bad
// line (b/p, d/t, m/n at the start) never share a table.
var (
	firstSyllables = [16]string{
		"ba", "be", "bo", "bu", "fa", "fe", "fo", "fu",
		"ka", "ke", "ko", "ku", "ma", "me", "mo", "mu",
	}
	secondSyllables = [16]string{
		"dan", "den", "don", "dun", "las", "les", "los", "lus",
		"rik", "rek", "rok", "ruk", "vil", "vel", "vol", "vul",
	}
)

// Word is the word of one byte. Words of different bytes differ.
func Word(b byte) string { return firstSyllables[b>>4] + secondSyllables[b&0x0f] }

// Words gives the eight words of a hash, for people to compare aloud or to
// write on paper.
func (h SHA256) Words() string {
	words := make([]string, fingerprintWords)
	for i := range words {
		words[i] = Word(h[i])
	}
	return strings.Join(words, " ")
}

// SameWords compares what a person typed with the words that were shown,
// without regard to case and spacing.
func SameWords(typed, shown string) bool {
	return strings.Join(strings.Fields(strings.ToLower(typed)), " ") == shown
}

package patch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"
)

// Hashes of what TestBuiltPatchIsFrozen builds. They also pin the encoder: a
// new version of it that packs differently makes other patches.
const (
	goldenTable = "dd4a86fc6bb4f15e25f432ac4594f8bb02d7053bf42a2cf4a22ceca7b3c71e59"
	goldenBody  = "8ab06f592fa57989d1de854d300377adb8a2f5584c16072f70fec76cb8adc2bd"
	goldenImage = "97adda1f09fc6ef97be7becd588e6c61462e9f5d2f2438aa359bddd1c7ebedf9"
)

// A patch that was published stays readable: testdata has one with a row of
// each form, made by version 1 of the format.
func TestPublishedPatchIsStillRead(t *testing.T) {
	file, err := os.ReadFile("testdata/golden.table")
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile("testdata/golden.body")
	if err != nil {
		t.Fatal(err)
	}
	table, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Apply(&out, table, bytes.NewReader(text("old", 200<<10)), bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(out.Bytes()); hex.EncodeToString(sum[:]) != goldenImage {
		t.Errorf("image %x", sum)
	}
	if again := encode(t, table); !bytes.Equal(again, file) {
		t.Error("the table writes back differently")
	}
}

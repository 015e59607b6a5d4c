package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/candor-ota/candor/manifests"
)

// makePayload writes a full payload of raw images: payload OUT NAME=FILE…
func makePayload(ts *testscript.TestScript, _ bool, args []string) {
	bytesField := func(b []byte, field protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
	}
	number := func(b []byte, field protowire.Number, v int) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
	}
	var manifest, data []byte
	for _, arg := range args[1:] {
		name, file, _ := strings.Cut(arg, "=")
		raw, err := os.ReadFile(ts.MkAbs(file))
		ts.Check(err)
		sum := manifests.SumSHA256(raw)
		operation := number(number(nil, 2, len(data)), 3, len(raw))
		operation = bytesField(operation, 6, number(nil, 2, len(raw)/4096))
		operation = bytesField(operation, 8, sum[:])
		part := bytesField(nil, 1, []byte(name))
		part = bytesField(part, 7, bytesField(number(nil, 1, len(raw)), 2, sum[:]))
		manifest = bytesField(manifest, 13, bytesField(part, 8, operation))
		data = append(data, raw...)
	}
	out := binary.BigEndian.AppendUint64([]byte("CrAU"), 2)
	out = binary.BigEndian.AppendUint64(out, uint64(len(manifest)))
	out = binary.BigEndian.AppendUint32(out, 0)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(append(out, manifest...), data...), 0o644))
}

// spoil changes the first byte of every file of a directory.
func spoil(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(args[0])
	ts.Check(err)
	for _, e := range entries {
		path := filepath.Join(args[0], e.Name())
		data, err := os.ReadFile(path)
		ts.Check(err)
		data[0] ^= 1
		ts.Check(os.WriteFile(path, data, 0o644))
	}
}

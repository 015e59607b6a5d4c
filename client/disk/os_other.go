//go:build !linux

package disk

import (
	"io/fs"
	"os"
	"reflect"
)

// forget does nothing: elsewhere there is no common way, and reading back still
// shows what the system would give the boot loader.
func forget(*os.File) error { return nil }

func dataSync(f *os.File) error { return f.Sync() }

// names reads Nlink, whose width differs between systems.
func names(info fs.FileInfo) uint64 {
	s := reflect.Indirect(reflect.ValueOf(info.Sys()))
	if s.Kind() != reflect.Struct {
		return 1
	}
	if n := s.FieldByName("Nlink"); n.IsValid() && n.CanUint() {
		return n.Uint()
	}
	return 1
}

package diagnosistest

import (
	"os"
	"path/filepath"
)

// Write puts a tree into a directory, as a server would publish it.
func (t *Tree) Write(dir string) error {
	for path, data := range t.Files {
		file := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// TrustedRoot is the newest root of the tree that is trusted in a case: the one
// that holds, unless the case has its own.
func (c Case) TrustedRoot() []byte {
	tree := c.Root
	if tree == nil {
		tree = Fine()
	}
	version := int64(1)
	for tree.Files[Path("root", version+1)] != nil {
		version++
	}
	return tree.Files[Path("root", version)]
}

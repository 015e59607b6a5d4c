package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/signer/ceremony"
)

// lintSize is that of the tree that is linted.
var lintSize = publishedSize{products: 200, releases: 5}

// lintBench measures `candor-signer lint` on a tree of many products: the
// program itself, reading a directory, and reading a server that takes its time.
func lintBench(ctx context.Context, dir string) (rows []figure.Row, err error) {
	tree := filepath.Join(dir, "tree")
	made, err := manyProducts(tree, lintSize)
	if err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "candor-signer")
	if err := command(ctx, "go", "build", "-o", program, "github.com/candor-ota/candor/signer"); err != nil {
		return nil, err
	}
	root := filepath.Join(tree, "metadata", "1.root.json")
	local, err := linted(ctx, program, "--root", root, "lint", "--from-dir", tree)
	if err != nil {
		return nil, err
	}
	files := http.FileServer(http.Dir(tree))
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(lintDelay)
		files.ServeHTTP(w, r)
	}))
	defer slow.Close()
	remote, err := linted(ctx, program, "--root", root, "lint", "--server", slow.URL)
	if err != nil {
		return nil, err
	}
	src, err := ceremony.Dir(tree)
	if err != nil {
		return nil, err
	}
	report := ceremony.LintTree(ctx, src, made, time.Now())
	if len(report.Findings) > 0 {
		return nil, fmt.Errorf("the tree breaks a rule: %w", report.Findings[0])
	}
	return []figure.Row{
		figure.Of("products", float64(report.Products), ""),
		figure.Of("files read", float64(report.Files), ""),
		figure.AtMost("lint of a directory", local.Seconds(), "s", 5),
		figure.AtMost(fmt.Sprintf("lint of a server that takes %v for each answer", lintDelay), remote.Seconds(), "s", 5),
	}, nil
}

// lintDelay is what an answer takes on a line within a continent.
const lintDelay = 20 * time.Millisecond

func linted(ctx context.Context, program string, args ...string) (time.Duration, error) {
	began := time.Now()
	err := command(ctx, program, args...)
	return time.Since(began), err
}

// command runs a program, and gives what it said where it fails.
func command(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// lintFile writes one file of the tree.
func lintFile(tree, path string, data []byte) error {
	name := filepath.Join(tree, path)
	return errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o600))
}

// lintName names a product.
func lintName(i int) string { return fmt.Sprintf("product-%03d", i) }

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

const installMiB = 512

// writeImage makes an image whose bytes compress to about half, as firmware's do.
func writeImage(path string, mib int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w, r := bufio.NewWriterSize(f, 1<<20), rand.New(rand.NewPCG(2014, 8))
	block := make([]byte, 4096)
	for range mib << 20 / len(block) {
		for i := range len(block) / 2 {
			block[i] = byte(r.Uint32())
		}
		if _, err := w.Write(block); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

func install(ctx context.Context, dir string) (rows []figure.Row, err error) {
	factory, image := filepath.Join(dir, "factory.img"), filepath.Join(dir, "system.img")
	if err := errors.Join(os.WriteFile(factory, make([]byte, 1<<20), 0o600), writeImage(image, installMiB)); err != nil {
		return nil, err
	}
	w, err := published(ctx, dir, image)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	phone, err := w.NewPhone(ctx, world.Factory{Dir: "phone", Product: phoneProduct, Image: factory, Build: 41, Epoch: 6, Version: "old", Label: widerLabel})
	if err != nil {
		return nil, err
	}
	if err := phone.Accept(ctx, 42); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, w.Path("bin", "candor-client"), "once", "--config", filepath.Join(phone.Dir, "client.yaml"))
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	took := time.Since(began).Seconds()
	status, err := phone.Once(ctx)
	if err != nil {
		return nil, err
	}
	if status.Build != 42 {
		return nil, fmt.Errorf("the handset runs build %d: %s", status.Build, status.Status.Sentence)
	}
	binary, err := os.Stat(w.Path("bin", "candor-client"))
	if err != nil {
		return nil, err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil, errors.New("this system does not tell a process's memory")
	}
	return []figure.Row{
		figure.AtLeast("512 MiB: downloaded, written, read back, armed, restarted", installMiB/took, "MiB/s", 100),
		figure.AtMost("peak memory of the client", float64(usage.Maxrss)/1024, "MiB", 32),
		figure.AtMost("client binary, stripped", float64(binary.Size())/(1<<20), "MiB", 16),
		figure.Of("bytes downloaded", float64(status.Downloaded)/(1<<20), "MiB"),
	}, nil
}

// widerLabel is that of the build before the fix.
const widerLabel = "collects:\n  - {data: contact-phone-numbers, purpose: {en: messaging}, default: on, stored: retained}\n"

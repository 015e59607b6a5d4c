package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/candor-ota/candor/scripts/figure"
)

// cost puts a load on a target, which says how much it did, and notes how much
// that is per second of the server's CPU time. Meanwhile the server has one
// half of the cores and the load, this process, the other: else they take turns
// on one and what is measured is how the system dealt them out.
func (t *target) cost(load func() (done int64, err error)) (err error) {
	all, server, own, err := halves()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pin(t.pid, all), pin(os.Getpid(), all)) }()
	if err := errors.Join(pin(t.pid, server), pin(os.Getpid(), own)); err != nil {
		return err
	}
	before, err := figure.CPUSeconds(t.pid)
	if err != nil {
		return err
	}
	done, err := load()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	after, err := figure.CPUSeconds(t.pid)
	t.rates = append(t.rates, float64(done)/(after-before))
	return err
}

// halves divides the cores that this process may use. Where there is only one,
// both get it.
func halves() (all, one, other unix.CPUSet, err error) {
	if err := unix.SchedGetaffinity(os.Getpid(), &all); err != nil {
		return all, one, other, fmt.Errorf("cores: %w", err)
	}
	n, left := all.Count(), 0
	for cpu := range 64 * len(all) {
		if !all.IsSet(cpu) {
			continue
		}
		if left++; left <= n/2 || n == 1 {
			one.Set(cpu)
		}
		if left > n/2 {
			other.Set(cpu)
		}
	}
	return all, one, other, nil
}

// pin has all threads of a process run on some cores. Threads that they start
// stay there too; what is started while this runs is seen the second time.
func pin(pid int, cores unix.CPUSet) error {
	for range 2 {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, &cores); err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
				return fmt.Errorf("cores of process %d: %w", pid, err)
			}
		}
	}
	return nil
}

package patch

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// inOrder does the jobs 0 to n-1 with several goroutines and hands the results
// on in that order, so that the number of goroutines shows nowhere. work is
// told which worker it runs on; use is called by one goroutine.
func inOrder[T any](ctx context.Context, workers, n int, work func(worker, job int) (T, error), use func(job int, result T) error) error {
	type task struct {
		job    int
		result chan T // takes one without waiting
	}
	group, ctx := errgroup.WithContext(ctx)
	todo, queue := make(chan task, workers), make(chan task, 2*workers) // bounds the results that wait
	group.Go(func() error {
		defer close(todo)
		defer close(queue)
		for job := range n {
			t := task{job, make(chan T, 1)}
			for _, c := range []chan task{queue, todo} {
				select {
				case c <- t:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		}
		return nil
	})
	for worker := range workers {
		group.Go(func() error {
			for t := range todo {
				result, err := work(worker, t.job)
				if err != nil {
					return err
				}
				t.result <- result
			}
			return nil
		})
	}
	group.Go(func() error {
		for t := range queue {
			select {
			case result := <-t.result:
				if err := use(t.job, result); err != nil {
					return err
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	return group.Wait()
}

package watch

import (
	"testing"
	"time"
)

func TestMemoryIsGivenBackOnceAfterManyStreams(t *testing.T) {
	var x tidier
	now := time.Unix(0, 0)
	times := 0
	for second := range 100 {
		opened := int64(min(second, 30)) * 50 // half a minute of them
		if x.due(opened, now.Add(time.Duration(second)*time.Second)) {
			times++
			if second < 30 {
				t.Error("in the midst of them")
			}
		}
	}
	if times != 1 {
		t.Errorf("%d times", times)
	}
	if x.due(1500+manyOpened-1, now.Add(time.Hour)) || x.due(1500+manyOpened-1, now.Add(2*time.Hour)) {
		t.Error("for a few")
	}
}

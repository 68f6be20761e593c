package audit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTurnsOneAtATime(t *testing.T) {
	var all turns
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			release, err := all.take(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(100 * time.Microsecond)
			inside.Add(-1)
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at once", most.Load())
	}
}

func TestTurnsWaitByContext(t *testing.T) {
	var all turns
	release, err := all.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := all.take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	release()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all.take(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("a turn was given to an ended context: %v", err)
	}
	if release, err = all.take(t.Context()); err != nil {
		t.Fatalf("the turn was not given back: %v", err)
	}
	release()
}

package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// When progress is first shown, and how often after that.
const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

// progress shows on a terminal how far a walk has come. It may be told so by
// another goroutine than ends it, and after its end.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	last  time.Time
	shown bool
	ended bool
}

// newProgress returns one for a terminal, and nil for whatever else w is.
func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &progress{w: w, last: time.Now().Add(progressAfter - progressEvery)}
}

// files says how many files were looked at.
func (p *progress) files(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || time.Since(p.last) < progressEvery {
		return
	}
	p.last, p.shown = time.Now(), true
	fmt.Fprintf(p.w, "\r\x1b[K%d files looked at", n)
}

// end takes the line away. A nil progress has none.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended = true; p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

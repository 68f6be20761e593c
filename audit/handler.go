package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/selfaudit/selfaudit/checks/report"
)

// handler answers each request with an audit. Requests share an audit that
// runs, so that clients cannot make the process fork at will.
type handler struct {
	audit func(context.Context) (*Report, error)
	log   func() *slog.Logger

	mu  sync.Mutex
	now *flight // the audit that runs, or nil
}

// flight is one audit and its result, there once done is closed.
type flight struct {
	done   chan struct{}
	report *Report
	err    error
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answer(w, r, http.StatusMethodNotAllowed, failure{"method not allowed"})
		return
	}
	f := h.join()
	select {
	case <-f.done:
	case <-r.Context().Done():
		answer(w, r, http.StatusServiceUnavailable, failure{"the request ended before the audit did"})
		return
	}
	switch {
	case f.err != nil:
		answer(w, r, http.StatusServiceUnavailable, failure{printable(f.err.Error())})
	case f.report.Verdict != report.Confined:
		answer(w, r, http.StatusServiceUnavailable, f.report)
	default:
		answer(w, r, http.StatusOK, f.report)
	}
}

// join returns the audit that runs, or starts one. It runs by itself, bounded
// by its own timeout: a client that goes away takes it from nobody else.
func (h *handler) join() *flight {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil {
		h.now = &flight{done: make(chan struct{})}
		go h.fly(h.now)
	}
	return h.now
}

func (h *handler) fly(f *flight) {
	defer func() {
		// net/http keeps a service alive through a handler's panic; a
		// goroutine of our own must not be worse.
		if p := recover(); p != nil {
			f.report, f.err = nil, fmt.Errorf("audit: panic: %v", p)
			h.log().Error("the audit panicked", "panic", printable(fmt.Sprint(p)))
		}
		h.mu.Lock()
		h.now = nil
		h.mu.Unlock()
		close(f.done)
	}()
	f.report, f.err = h.audit(context.Background())
}

// failure is the body where there is no report.
type failure struct {
	Error string `json:"error"`
}

// answer writes the body as JSON. The encoder writes bytes that are not UTF-8
// as U+FFFD and escapes control characters.
func answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(body); err != nil {
		status = http.StatusServiceUnavailable
		b.Reset()
		b.WriteString(`{"error":"the report could not be encoded"}` + "\n")
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// The client is gone where this fails, and the status was sent.
		_, _ = w.Write(b.Bytes())
	}
}

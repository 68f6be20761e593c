package audit

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/selfaudit/selfaudit/checks/report"
)

func answering(r *Report, err error) *handler {
	return &handler{
		audit: func(context.Context) (*Report, error) { return r, err },
		log:   func() *slog.Logger { return slog.New(slog.DiscardHandler) },
	}
}

// TestHandlerStatus goes through a real server: it is what a kubelet sees.
func TestHandlerStatus(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler *handler
		status  int
		key     string
	}{
		{"confined", answering(&Report{Verdict: report.Confined}, nil), 200, "verdict"},
		{"exposed", answering(&Report{Verdict: report.Exposed}, nil), 503, "verdict"},
		{"inconclusive", answering(&Report{}, nil), 503, "verdict"},
		{"no report", answering(nil, errors.New("no /proc\x1b[2J")), 503, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(c.handler)
			defer srv.Close()
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				resp, body := request(t, method, srv.URL)
				if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %d %v", method, resp.StatusCode, resp.Header)
				}
				if method == http.MethodHead {
					if len(body) != 0 {
						t.Errorf("HEAD has a body: %q", body)
					}
					continue
				}
				var doc map[string]any
				if err := json.Unmarshal(body, &doc); err != nil || doc[c.key] == nil || strings.Contains(string(body), "\x1b") {
					t.Errorf("%v: %q", err, body)
				}
			}
		})
	}
}

func request(t *testing.T, method, url string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp, body
}

func TestHandlerMethods(t *testing.T) {
	h := answering(&Report{Verdict: report.Confined}, nil)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(method, "/", nil))
		if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d %v", method, rec.Code, rec.Header())
		}
	}
}

// TestHandlerBytes: bytes that are not UTF-8 come out as UTF-8.
func TestHandlerBytes(t *testing.T) {
	rec := httptest.NewRecorder()
	answering(&Report{Target: report.Target{Comm: "\xff\x1b[31m\n"}}, nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if b := rec.Body.Bytes(); !utf8.Valid(b) || !json.Valid(b) || strings.Contains(string(b), "\x1b") {
		t.Errorf("%q", b)
	}
}

// TestHandlerShares: requests that come while an audit runs get its result,
// and a later request gets a new one.
func TestHandlerShares(t *testing.T) {
	const clients = 50
	var audits atomic.Int32
	gate := make(chan struct{})
	h := answering(nil, nil)
	h.audit = func(context.Context) (*Report, error) {
		audits.Add(1)
		<-gate
		return &Report{Verdict: report.Confined}, nil
	}
	first := h.join()
	var joined, done sync.WaitGroup
	joined.Add(clients)
	for range clients {
		done.Go(func() {
			f := h.join()
			joined.Done()
			<-f.done
			if f != first || f.report.Verdict != report.Confined {
				t.Error("a second audit was started")
			}
		})
	}
	joined.Wait()
	close(gate)
	done.Wait()
	if n := audits.Load(); n != 1 {
		t.Errorf("%d audits for requests at one time", n)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if n := audits.Load(); n != 2 {
		t.Errorf("%d audits after one more request, want 2", n)
	}
}

// TestHandlerClientGone: a client that goes away neither waits nor takes the
// audit from the others.
func TestHandlerClientGone(t *testing.T) {
	gate := make(chan struct{})
	h := answering(nil, nil)
	h.audit = func(ctx context.Context) (*Report, error) {
		<-gate
		return &Report{Verdict: report.Confined}, ctx.Err()
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(gone))
	if rec.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", rec.Code)
	}
	f := h.join()
	close(gate)
	<-f.done
	if f.err != nil || f.report.Verdict != report.Confined {
		t.Errorf("the audit ended with its client: %v", f.err)
	}
}

func TestHandlerPanic(t *testing.T) {
	h := answering(nil, nil)
	h.audit = func(context.Context) (*Report, error) { panic("out of range") }
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "out of range") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/policy"
)

var wrongOptions = []struct {
	name string
	opt  audit.Option
	says string
}{
	{"nil policy", audit.WithPolicy(nil), "WithPolicy"},
	{"empty policy", audit.WithPolicy(&audit.Policy{Name: "empty"}), "asks for nothing"},
	{"pid 0", audit.WithPID(0), "WithPID: 0"},
	{"negative pid", audit.WithPID(-1), "WithPID: -1"},
	{"nil logger", audit.WithLogger(nil), "WithLogger"},
	{"no timeout", audit.WithTimeout(0), "WithTimeout: 0s"},
	{"negative timeout", audit.WithTimeout(-time.Second), "WithTimeout: -1s"},
	{"nil option", nil, "nil option"},
}

// TestWrongOptions: an option that makes no sense never audits something else.
func TestWrongOptions(t *testing.T) {
	for _, w := range wrongOptions {
		t.Run(w.name, func(t *testing.T) {
			if r, err := audit.Check(context.Background(), w.opt); r != nil || err == nil || !strings.Contains(err.Error(), w.says) {
				t.Errorf("Check: %v, %v", r, err)
			}
			if a, err := audit.Open(w.opt); a != nil || err == nil || !strings.Contains(err.Error(), w.says) {
				t.Errorf("Open: %v, %v", a, err)
			}
			var e *audit.NotConfinedError
			if err := panicOf(func() { audit.MustBeConfined(quiet, w.opt) }); !errors.As(err, &e) || e.Cause == nil || !strings.Contains(e.Error(), w.says) {
				t.Errorf("MustBeConfined: %v", err)
			}
			rec := httptest.NewRecorder()
			audit.Handler(w.opt).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
			var body struct{ Error string }
			if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || rec.Code != http.StatusServiceUnavailable || !strings.Contains(body.Error, w.says) {
				t.Errorf("Handler: %d %s", rec.Code, rec.Body)
			}
		})
	}
}

func TestWrongOptionsAreAllNamed(t *testing.T) {
	_, err := audit.Check(context.Background(), audit.WithPID(-1), audit.WithTimeout(-1))
	if err == nil || !strings.Contains(err.Error(), "WithPID") || !strings.Contains(err.Error(), "WithTimeout") {
		t.Errorf("%v", err)
	}
	_, err = audit.Check(context.Background(), audit.WithPolicy(&policy.Policy{}))
	if !errors.Is(err, policy.ErrEmpty) {
		t.Errorf("%v is not policy.ErrEmpty", err)
	}
}

func TestOpenForAnotherProcess(t *testing.T) {
	if a, err := audit.Open(audit.WithPID(os.Getppid())); a != nil || err == nil || !strings.Contains(err.Error(), "WithPID") {
		t.Errorf("%v, %v", a, err)
	}
}

var quiet = audit.WithLogger(slog.New(slog.DiscardHandler))

// panicOf returns the error that f panics with.
func panicOf(f func()) (err error) {
	defer func() {
		if e, ok := recover().(error); ok {
			err = e
		}
	}()
	f()
	return nil
}

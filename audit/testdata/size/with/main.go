// With is the same service, audited.
package main

import (
	"flag"
	"log/slog"
	"net/http"
	"os"

	"github.com/selfaudit/selfaudit/audit"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	audit.MustBeConfined()
	http.Handle("/readyz", audit.Handler())
	slog.Error("ended", "error", http.ListenAndServe(*listen, nil))
}

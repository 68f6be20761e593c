// Without is a service that has net/http, log/slog with JSON output and flag.
package main

import (
	"flag"
	"log/slog"
	"net/http"
	"os"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	http.Handle("/readyz", http.NotFoundHandler())
	slog.Error("ended", "error", http.ListenAndServe(*listen, nil))
}

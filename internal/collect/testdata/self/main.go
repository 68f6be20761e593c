// Self observes its own process and nothing else.
package main

import (
	"context"
	"os"
	"runtime"

	"github.com/selfaudit/selfaudit/internal/collect"
)

func main() {
	runtime.LockOSThread()
	if _, err := collect.Self(context.Background(), collect.Options{Filters: true}); err != nil {
		os.Exit(1)
	}
}

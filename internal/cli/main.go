package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Main runs auditctl with the process's own arguments and streams, and returns
// the exit code. SIGINT and SIGTERM end the audit; a second one ends the
// process.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// With SIGPIPE ignored a closed pipe is an error of write(2), which has
	// an exit code; the signal would end the program without one.
	signal.Ignore(syscall.SIGPIPE)
	return Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

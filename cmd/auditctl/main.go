// Auditctl tells whether a process is as confined as a policy says.
package main

import (
	"os"

	"github.com/selfaudit/selfaudit/internal/cli"
)

func main() { os.Exit(cli.Main()) }

package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/render"
)

func (c *command) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of auditctl, Go and the kernel",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { c.version(); return nil },
	}
}

func (c *command) version() {
	version, commit := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version, commit = info.Main.Version, commitOf(info.Settings)
	}
	kernel, _ := collect.Host()
	if kernel == "" {
		kernel = "unknown"
	}
	fmt.Fprintf(&c.out, "auditctl of selfaudit, version %s\n", version)
	fmt.Fprintf(&c.out, "commit %s\n", commit)
	fmt.Fprintf(&c.out, "go %s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&c.out, "kernel %s\n", render.Safe(kernel))
}

// commitOf reads what the go command noted at the build: it notes nothing
// where the program was not built from a checkout.
func commitOf(settings []debug.BuildSetting) string {
	commit := "unknown"
	for _, s := range settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	for _, s := range settings {
		if s.Key == "vcs.modified" && s.Value == "true" {
			commit += ", modified"
		}
	}
	return commit
}

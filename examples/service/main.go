// Command service shows how a network service gives its privileges up and
// refuses to serve where it did not: it binds a low port as root, drops
// groups, ids and capabilities on every thread, forbids itself new
// privileges, loads a seccomp filter, and lets selfaudit decide.
//
// With -mistake it makes one mistake that people make, and is refused.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
)

// settings are the command line's.
type settings struct {
	listen  string
	chroot  string
	uid     int
	gid     int
	kill    bool
	mistake string
}

func main() {
	var s settings
	flag.StringVar(&s.listen, "listen", "127.0.0.1:80", "`address` to serve on")
	flag.StringVar(&s.chroot, "chroot", "", "empty `directory` to make the root directory; none: keep the root")
	flag.IntVar(&s.uid, "uid", 65534, "user `id` to serve as")
	flag.IntVar(&s.gid, "gid", 65534, "group `id` to serve as")
	flag.BoolVar(&s.kill, "kill", false, "let the filter kill for what it does not allow, instead of answering EPERM")
	flag.StringVar(&s.mistake, "mistake", "", "make this one `mistake`; \"list\" names them all")
	flag.Parse()

	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err := run(s); err != nil {
		fmt.Fprintf(os.Stderr, "service: error: %v\n", err)
		os.Exit(1)
	}
}

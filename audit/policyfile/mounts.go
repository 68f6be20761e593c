package policyfile

import (
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
)

// mountKey are options that mounts must have, as OCI writes mounts.
func mountKey() key {
	options := vocabulary{"mount option", "a mount option", "mount(8)", mountOptions}
	list := mappings("destination, options", "[{destination: /tmp, options: [noexec]}]", []string{"destination", "options"}, nil,
		func(m *policy.Mount) []key {
			return []key{
				part("destination", reader[string]{words: "absolute path", demand: "/tmp", read: readDestination}, func(v string) { m.Destination = v }, "where it is mounted"),
				part("options", options.list("[noexec]", false), func(v []string) { m.Options = v }, "options that it must have"),
			}
		}, func(m policy.Mount) string {
			return "destination: " + quoteYAML(m.Destination) + ", options: [" + strings.Join(m.Options, ", ") + "]"
		})
	list.read = once(list.read, "destination", func(m policy.Mount) string { return m.Destination })
	return entry("mounts", list, members(func(p *policy.Policy) *[]policy.Mount { return &p.Filesystem.Mounts }),
		"Options that mounts must have, each {destination: PATH, options: [noexec, …]}; without options that something is mounted there.", "filesystem.mount")
}

// readDestination reads a path, and gives one with a slash at its end the name
// that it has without.
func readDestination(d *decoder, n node, path string) (string, bool) {
	s, ok := readPath(d, n, path)
	if s != "/" {
		s = strings.TrimSuffix(s, "/")
	}
	return s, ok
}

// mountOptions are those of mount(8) that a mount can be seen to have.
var mountOptions = []string{
	"ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "atime", "nodiratime", "relatime", "strictatime", "nosymfollow",
}

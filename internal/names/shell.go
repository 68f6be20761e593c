package names

import "strings"

// shellNames are shells, package managers, and programs that are many in one.
const shellNames = "ash bash busybox csh dash elvish fish ksh ksh93 mksh nu oil osh pwsh rbash sh tcsh toybox xonsh yash zsh " +
	"apk apt apt-get dnf dnf5 dpkg emerge flatpak guix microdnf nix nix-env opkg pacman rpm snap tdnf urpmi xbps-install yum zypper"

// shellPlaces are the directories where they lie, and where links of busybox do.
const shellPlaces = "/bin /sbin /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /busybox /opt/bin /usr/libexec /system/bin"

// ShellPaths returns the paths by which shells and package managers are looked
// for. One that lies elsewhere, or by another name, is not found by them.
func ShellPaths() []string {
	var all []string
	for dir := range strings.FieldsSeq(shellPlaces) {
		for name := range strings.FieldsSeq(shellNames) {
			all = append(all, dir+"/"+name)
		}
	}
	return append(all, "/sh", "/busybox", "/bash")
}

package names

// Namespace is one kind of namespace: namespaces(7).
type Namespace struct {
	// Name is that of the file in /proc/PID/ns.
	Name string
	// OCI is the runtime specification's word, where it differs.
	OCI string
	// CloneFlag is the CLONE_NEW* bit of clone(2), unshare(2) and setns(2).
	CloneFlag uint32
}

var namespaces = [...]Namespace{
	{Name: "user", CloneFlag: 0x10000000},
	{Name: "pid", CloneFlag: 0x20000000},
	{Name: "mnt", OCI: "mount", CloneFlag: 0x00020000},
	{Name: "net", OCI: "network", CloneFlag: 0x40000000},
	{Name: "ipc", CloneFlag: 0x08000000},
	{Name: "uts", CloneFlag: 0x04000000},
	{Name: "cgroup", CloneFlag: 0x02000000}, // Linux 4.6
	{Name: "time", CloneFlag: 0x00000080},   // Linux 5.6; not for clone(2)
}

// Namespaces returns the kinds of namespaces. The slice is the caller's.
func Namespaces() []Namespace { return append([]Namespace(nil), namespaces[:]...) }

// NamespaceNames returns the names that /proc/PID/ns has for them.
func NamespaceNames() []string {
	out := make([]string, len(namespaces))
	for i, ns := range namespaces {
		out[i] = ns.Name
	}
	return out
}

// NamespaceNamed returns the kind of namespace of that name, as /proc/PID/ns
// spells it.
func NamespaceNamed(name string) (Namespace, bool) {
	for _, ns := range namespaces {
		if ns.Name == name {
			return ns, true
		}
	}
	return Namespace{}, false
}

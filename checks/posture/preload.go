package posture

import "slices"

// Preload is an environment variable that makes programs load code, or look for
// it elsewhere.
type Preload struct{ Name, Does string }

// preloads are sorted. Those that only set a limit, a level of messages or a
// language are none, and neither are those that nothing but an interactive shell
// or a desktop reads.
var preloads = [...]Preload{
	{"BASH_ENV", "bash runs the file before every script"},
	{"CORECLR_PROFILER_PATH", ".NET loads the library"},
	{"DOTNET_STARTUP_HOOKS", ".NET runs the assemblies before the program"},
	{"GCONV_PATH", "iconv(3) loads modules from there"},
	{"JAVA_TOOL_OPTIONS", "every Java machine takes options from it, agents to load among them"},
	{"JDK_JAVA_OPTIONS", "java takes options from it, agents to load among them"},
	{"LD_AUDIT", "the loader loads the libraries and tells them of all that it does"},
	{"LD_LIBRARY_PATH", "the loader looks there for libraries first"},
	{"LD_PRELOAD", "the loader loads the libraries before all others"},
	{"LUA_INIT", "Lua runs it before the program"},
	{"NODE_OPTIONS", "Node.js takes options from it, modules to load among them"},
	{"NODE_PATH", "Node.js looks there for modules"},
	{"OPENSSL_CONF", "OpenSSL loads what that file names"},
	{"OPENSSL_ENGINES", "OpenSSL loads engines from there"},
	{"OPENSSL_MODULES", "OpenSSL loads providers from there"},
	{"PERL5DB", "perl runs it where it debugs"},
	{"PERL5LIB", "perl looks there for modules first"},
	{"PERL5OPT", "perl takes options from it, modules to load among them"},
	{"PHPRC", "PHP looks there for its settings, extensions to load among them"},
	{"PHP_INI_SCAN_DIR", "PHP looks there for its settings, extensions to load among them"},
	{"PYTHONHOME", "Python looks there for its own modules"},
	{"PYTHONPATH", "Python looks there for modules first"},
	{"RUBYLIB", "Ruby looks there for modules first"},
	{"RUBYOPT", "Ruby takes options from it, modules to load among them"},
	{"_JAVA_OPTIONS", "every Java machine takes options from it, agents to load among them"},
}

// Preloads returns the names of all of them, sorted.
func Preloads() []string {
	out := make([]string, len(preloads))
	for i := range preloads {
		out[i] = preloads[i].Name
	}
	return out
}

// PreloadNamed says what a variable does, and whether it is one of them.
func PreloadNamed(name string) (does string, ok bool) {
	i, ok := slices.BinarySearchFunc(preloads[:], name, func(p Preload, name string) int {
		switch {
		case p.Name < name:
			return -1
		case p.Name > name:
			return 1
		}
		return 0
	})
	if !ok {
		return "", false
	}
	return preloads[i].Does, true
}

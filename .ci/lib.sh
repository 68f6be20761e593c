# What run and full share. Sourced by both.

started=$SECONDS

# stage NAME COMMAND...: runs a command and prints how long it took. Callers
# run under set -e, so a failure ends the whole run here.
stage() {
	local name=$1 begin=$SECONDS
	shift
	printf '\n== %s\n' "$name"
	"$@"
	printf -- '-- %s: %d s\n' "$name" $((SECONDS - begin))
}

total() { printf '\n== all passed in %d s\n' $((SECONDS - started)); }

# install_packages COMMAND=PACKAGES...: installs the packages whose command is missing.
install_packages() {
	local missing=() pair
	for pair in "$@"; do
		# shellcheck disable=SC2206 # one command may need several packages
		command -v "${pair%%=*}" >/dev/null || missing+=(${pair#*=})
	done
	((${#missing[@]})) || return 0
	if [[ $(id -u) != 0 ]]; then
		printf 'missing, and only root can install them: %s\n' "${missing[*]}" >&2
		return 1
	fi
	apt-get update -qq >/dev/null
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# fuzz_one TIME PACKAGE TARGET: the Go fuzzer sometimes ends with its own
# "context deadline exceeded" when an input is under way as the time runs out.
# That is tried once more. A failing input is written down and is never that.
fuzz_one() {
	local log again
	for again in yes no; do
		if log=$(go test -run='^$' -fuzz="^$3\$" -fuzztime="$1" "$2" 2>&1); then
			printf '%s\n' "$log" | tail -n 1
			return 0
		fi
		if [[ $again == no || $log == *'Failing input written'* || $log != *'context deadline exceeded'* ]]; then
			printf '%s\n' "$log"
			return 1
		fi
	done
}

# fuzz_all TIME: every fuzz target of the module, one after the other.
fuzz_all() {
	local package target
	while read -r package; do
		while read -r target; do
			printf '%s %s\n' "$package" "$target"
			fuzz_one "$1" "$package" "$target"
		done < <(go test -list='^Fuzz' "$package" | grep '^Fuzz' || true)
	done < <(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | grep .)
}

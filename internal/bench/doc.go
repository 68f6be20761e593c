// Package bench has benchmarks only: what an audit costs, against what its
// system calls alone would.
package bench

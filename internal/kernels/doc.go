// Package kernels has tests only: what filters do and what children meet on the
// kernel that runs them. .ci/kernels runs it, and the tests of other packages,
// on kernels in virtual machines.
package kernels

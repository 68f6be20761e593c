//go:build !linux

// Command measure needs Linux.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "measure: needs Linux, this is", runtime.GOOS)
	os.Exit(1)
}

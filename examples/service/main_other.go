//go:build !linux || !(amd64 || arm64)

package main

import (
	"errors"
	"runtime"
)

func run(settings) error {
	return errors.New("needs Linux on amd64 or arm64, this is " + runtime.GOOS + "/" + runtime.GOARCH)
}

//go:build !amd64 && !arm64

package child

// There is no program for this architecture.
const (
	imageMachine = 0
	imageCode    = ""
)

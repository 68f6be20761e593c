package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/selfaudit/selfaudit/internal/render"
)

// terminal is what the report's text is fitted to.
type terminal struct {
	color bool
	width int
}

// terminalOf returns colours only where w is a terminal that shows them and
// nobody objects: no-color.org. A terminal narrower than the usual 80 columns
// is fitted to; a wider one is not, for lines that long read badly.
func terminalOf(w io.Writer) terminal {
	t := terminal{width: render.DefaultWidth}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return t
	}
	t.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		t.width = min(width, t.width)
	}
	return t
}

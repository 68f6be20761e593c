// Package sandboxes has tests only: they start real sandboxes by the command
// lines that people use, audit what runs in them from outside, and hold the
// whole report against the one that was read and explained in
// docs/sandboxes.md.
package sandboxes

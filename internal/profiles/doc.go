// Package profiles has tests only: they make processes by the commands of
// docs/profiles.md, hold each against its built-in profile, and then undo one
// thing at a time.
package profiles

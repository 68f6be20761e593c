//go:build race

package checks_test

// raceEnabled: starting a program takes a second then.
const raceEnabled = true

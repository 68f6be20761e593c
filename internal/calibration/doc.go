// Package calibration has tests only: they start containers for real, and hold
// the profile "confined" against what it was made to tell apart.
package calibration

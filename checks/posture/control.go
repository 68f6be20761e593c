package posture

// ControlSockets is what others take orders by, as far as it lies below the root
// directory.
type ControlSockets struct {
	// Found are those that are there, whoever may use them.
	Found []Control
	// Looked is how many paths were looked at.
	Looked int
	// Unseen are paths that could not be looked at to their end.
	Unseen []Left
}

// Control is a socket, or a file with a secret that opens a server.
type Control struct {
	Path string
	// What says whose it is: "Docker".
	What string
	// Secret is true for a file that it takes reading, not connecting.
	Secret bool
	Permission
	// Through are the directories on the way to it that not everyone may search.
	Through []Permission
}

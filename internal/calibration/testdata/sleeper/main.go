// Command sleeper waits to be killed. It is what a container runs while it is
// audited from outside.
package main

import "time"

func main() {
	for {
		time.Sleep(time.Hour)
	}
}

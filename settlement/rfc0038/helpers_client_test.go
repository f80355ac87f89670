package rfc0038_test

import (
	"io"
	"log"
)

// quietLog is the log of a server whose faults are part of the test.
func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

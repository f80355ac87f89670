// Package scripttest writes programs for tests to run.
package scripttest

import (
	"os"
	"syscall"
)

// WriteExecutable writes a program to path, with mode 0700. The error is the file system's.
//
// No process of the test binary is forked meanwhile: a child forked between the file's opening and
// its closing holds the file open for writing until the child's own exec, and running the program
// then fails with ETXTBSY (https://go.dev/issue/22315).
func WriteExecutable(path, program string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(program), 0o700) //nolint:gosec // the program is run
}

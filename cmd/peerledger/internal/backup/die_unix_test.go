//go:build unix

package backup

import (
	"os"
	"syscall"
)

// die ends this process as a power cut does.
func die() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }

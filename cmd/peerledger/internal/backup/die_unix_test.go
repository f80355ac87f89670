//go:build unix

package backup

import (
	"os"
	"syscall"
)

// killThisProcess ends this process as a power cut does.
func killThisProcess() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }

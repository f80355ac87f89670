//go:build unix

package backup

import (
	"os"
	"syscall"
)

// killThisProcess kills this process, like a power cut.
func killThisProcess() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }

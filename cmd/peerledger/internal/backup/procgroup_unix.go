//go:build unix

package backup

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// setProcessGroup gives a command its own process group. Signals of the terminal do not reach the
// group, and the end of the command's context kills the whole group.
func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

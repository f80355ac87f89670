//go:build unix

package backup

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// setProcessGroup gives a command a process group of its own, which the terminal's signals do not
// reach, and which ends as a whole with the command's context.
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

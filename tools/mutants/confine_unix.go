//go:build unix

package main

import (
	"os/exec"
	"strconv"
	"syscall"
)

// confineCommand limits the memory of a command to so many MiB, if memory is above 0, and the size
// of the files that it writes. The end of the command ends its whole process group.
func confineCommand(cmd *exec.Cmd, memory int) {
	limits := "ulimit -f 4194304; "
	if memory > 0 {
		limits += "ulimit -v " + strconv.Itoa(memory<<10) + "; "
	}
	cmd.Args = append([]string{"sh", "-c", limits + `exec "$0" "$@"`}, cmd.Args...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		endProcesses(cmd)
		return nil
	}
}

// endProcesses ends the remaining processes of a confined command.
func endProcesses(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

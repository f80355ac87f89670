//go:build unix

package main

import (
	"os/exec"
	"strconv"
	"syscall"
)

// confineCommand bounds the memory of a command in MiB, if that is more than 0, and the size of the
// files that it writes, and lets its end be that of every process that it starts.
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

// endProcesses ends the processes of a confined command that still run.
func endProcesses(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

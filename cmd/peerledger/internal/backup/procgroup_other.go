//go:build !unix

package backup

import "os/exec"

// setProcessGroup does nothing: these systems have no process groups that signals go to.
func setProcessGroup(*exec.Cmd) {}

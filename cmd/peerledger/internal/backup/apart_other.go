//go:build !unix

package backup

import "os/exec"

// apart does nothing: these systems have no process groups that signals go to.
func apart(*exec.Cmd) {}

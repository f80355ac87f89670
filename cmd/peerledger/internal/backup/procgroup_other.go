//go:build !unix

package backup

import "os/exec"

// setProcessGroup does nothing: these systems do not send signals to process groups.
func setProcessGroup(*exec.Cmd) {}

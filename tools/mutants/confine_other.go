//go:build !unix

package main

import "os/exec"

// confineCommand does nothing here: there are no process groups.
func confineCommand(*exec.Cmd, int) {}

func endProcesses(*exec.Cmd) {}

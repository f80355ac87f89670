//go:build !unix

package main

import "os/exec"

// confineCommand does nothing: this system has no process groups.
func confineCommand(*exec.Cmd, int) {}

func endProcesses(*exec.Cmd) {}

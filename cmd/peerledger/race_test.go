//go:build race && unix

package main

// Imports are slow with the race detector, and each is a process of its own: the detector finds nothing more in many.
func init() { bankKills = 3 }

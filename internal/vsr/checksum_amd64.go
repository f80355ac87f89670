package vsr

import "golang.org/x/sys/cpu"

// absorb absorbs a whole number of steps.
func absorb(state *aegis, data []byte) {
	if !cpu.X86.HasAES || len(data) == 0 {
		absorbPortable(state, data)
		return
	}
	absorbAES(state, &data[0], len(data)/stepSize)
}

// absorbAES absorbs steps with the processor's instruction for a round of AES.
//
//go:noescape
func absorbAES(state *aegis, data *byte, steps int)

//go:build !amd64

package vsr

// absorb absorbs a whole number of steps.
func absorb(state *aegis, data []byte) { absorbPortable(state, data) }

// Package sealed keeps files that are written once and then only read.
package sealed

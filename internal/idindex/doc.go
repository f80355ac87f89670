// Package idindex finds the entries of ids in immutable files.
package idindex

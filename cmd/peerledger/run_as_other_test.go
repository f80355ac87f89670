//go:build !linux

package main

var limitFiles func(bytes string) error

//go:build cgo

package cluster

/*
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Of the library that tigerbeetle-go links. Its own package does not use it, and cgo has
// that library at hand only when the program is linked, hence weak.
extern int tb_client_register_log_callback(
	void (*callback)(int, const uint8_t *, uint32_t), bool debug) __attribute__((weak));

extern void peerledgerNativeLine(int, uint8_t *, uint32_t);

static void peerledger_native_line(int level, const uint8_t *line, uint32_t size) {
	peerledgerNativeLine(level, (uint8_t *)line, size);
}

static bool peerledger_divert_native_log(bool on) {
	return tb_client_register_log_callback != NULL &&
		tb_client_register_log_callback(on ? peerledger_native_line : NULL, false) == 0;
}
*/
import "C"

import (
	"log/slog"
	"unsafe"
)

// nativeLogDiverted reports whether the native log can be diverted on this platform.
const nativeLogDiverted = true

// divertNativeLog sends the native log to the listeners instead of standard error, or back. It
// returns false, and changes nothing, if another library has diverted the log.
func divertNativeLog(on bool) bool { return bool(C.peerledger_divert_native_log(C.bool(on))) }

// The native client's levels.
const (
	nativeError   = 0
	nativeWarning = 1
)

//export peerledgerNativeLine
func peerledgerNativeLine(level C.int, line *C.uint8_t, size C.uint32_t) {
	text := string(unsafe.Slice((*byte)(unsafe.Pointer(line)), int(size)))
	severity := slog.LevelInfo
	switch level {
	case nativeError:
		severity = slog.LevelError
	case nativeWarning:
		severity = slog.LevelWarn
	}
	for _, n := range currentListeners() {
		n.receiveLine(severity, text)
	}
}

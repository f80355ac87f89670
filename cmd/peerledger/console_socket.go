package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// listenOnSocket listens on a Unix socket that only this user can open. The socket of a process that died
// is replaced, and any other file is left alone.
func listenOnSocket(ctx context.Context, file string) (net.Listener, error) {
	if info, err := os.Lstat(file); err == nil && info.Mode()&fs.ModeSocket != 0 {
		c, err := new(net.Dialer).DialContext(ctx, "unix", file)
		switch {
		case err == nil:
			_ = c.Close()
			return nil, fmt.Errorf("--unix-socket %s: another process listens on it: give another file", file)
		case !errors.Is(err, syscall.ECONNREFUSED): // as with a full queue of a busy process, or another user's socket
			return nil, fmt.Errorf("--unix-socket %s: whether another process uses it is unknown: give another file, or remove it: %w", file, err)
		}
		if err := os.Remove(file); err != nil {
			return nil, fmt.Errorf("--unix-socket: %w", err)
		}
	}
	restore := hideNewFiles()
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", file)
	restore()
	if err != nil {
		return nil, fmt.Errorf("--unix-socket %s: %w", file, err)
	}
	return listener, nil
}

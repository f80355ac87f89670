//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package sealed

import (
	"os"
	"syscall"
)

func (f osFile) MapBytes(offset int64, length int) ([]byte, func() error, error) {
	before := int(offset % int64(os.Getpagesize())) // a mapping begins with a page
	b, err := syscall.Mmap(int(f.Fd()), offset-int64(before), before+length, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return b[before:], func() error { return os.NewSyscallError("munmap", syscall.Munmap(b)) }, nil
}

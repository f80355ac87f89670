// Package vsr asks TigerBeetle's replicas who they are: on the wire, with the ping that
// every client sends, and on disk, from the superblock of a data file.
//
// It knows no more of the protocol than that, and writes nothing. Offsets and rules are
// those of TigerBeetle 0.17.9 (src/vsr/message_header.zig, superblock.zig, checksum.zig).
// Whatever is read is believed only if its checksum holds.
package vsr

import "fmt"

// Release is a release of TigerBeetle, as servers and data files carry it; 0 is none.
type Release uint32

// NewRelease is the release major.minor.patch.
func NewRelease(major uint16, minor, patch uint8) Release {
	return Release(major)<<16 | Release(minor)<<8 | Release(patch)
}

// ParseRelease reads a release such as "0.17.9".
func ParseRelease(text string) (Release, error) {
	var major uint16
	var minor, patch uint8
	var rest string
	if n, _ := fmt.Sscanf(text+" .", "%d.%d.%d %s", &major, &minor, &patch, &rest); n != 4 || rest != "." {
		return 0, fmt.Errorf("vsr: %q is no release such as 0.17.9", text)
	}
	return NewRelease(major, minor, patch), nil
}

func (r Release) String() string {
	return fmt.Sprintf("%d.%d.%d", r>>16, r>>8&0xFF, r&0xFF)
}

package vsr

import "fmt"

// Release is a release of TigerBeetle, as stored by servers and data files; 0 is no release.
type Release uint32

// NewRelease returns the release major.minor.patch.
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

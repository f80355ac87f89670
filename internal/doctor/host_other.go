//go:build !linux

package doctor

// TigerBeetle's servers run on other systems for development only; nothing is looked at
// there.

func hostFacts() host { return host{} }

func volumeFacts(string) volume { return volume{} }

func isHeld(string) (held, known bool) { return false, false }

package ilp

// CodeClass is the class of an error code: whether a later packet may pass.
type CodeClass byte

// The classes of RFC 0027.
const (
	ClassFinal     CodeClass = 'F' // the same packet never passes
	ClassTemporary CodeClass = 'T' // the same packet may pass later
	ClassRelative  CodeClass = 'R' // a packet with a later expiry, or another amount, may pass
)

// ClassOfCode returns the class of a code by its first character alone. Connectors send codes that
// RFC 0027 does not list. A code without a known class is final: a sender that repeats such a packet
// may repeat it for ever.
func ClassOfCode(code string) CodeClass {
	if code == "" {
		return ClassFinal
	}
	if class := CodeClass(code[0]); class == ClassTemporary || class == ClassRelative {
		return class
	}
	return ClassFinal
}

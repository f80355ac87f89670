package ilp_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/ilp"
)

// rfc0015 is the regular expression of RFC 0015, without the length.
var rfc0015 = regexp.MustCompile(`^(g|private|example|peer|self|test[1-3]?|local)([.][a-zA-Z0-9_~-]+)+$`)

// addresses are all forms distinguished by the grammar, and whether each may be a destination, and
// the triggeredBy of a REJECT.
var addresses = []struct {
	address         string
	destination, by bool
	reason          string // of the destination, or of both
}{
	{"g.a", true, true, ""},
	{"private.a", true, true, ""},
	{"example.a", true, true, ""},
	{"peer.config", true, true, ""},
	{"self.a", true, true, ""},
	{"local.a", true, true, ""},
	{"test.a", true, true, ""},
	{"test1.a", true, true, ""},
	{"test3.a.b", true, true, ""},
	{"g.us-fed.ach.0.acmebank.swx0a0~ip.XY_9", true, true, ""},
	{"g." + strings.Repeat("a", 1021), true, true, ""},
	{"g." + strings.Repeat("a", 1022), false, false, "1024 bytes"},
	{"", false, true, "empty address"},
	{".", false, false, "empty segment at byte 0"},
	{"..", false, false, "empty segment at byte 0"},
	{".g.a", false, false, "empty segment at byte 0"},
	{"g.a.", false, false, "empty segment at byte 3"},
	{"g.", false, false, "empty segment at byte 1"},
	{"g..a", false, false, "empty segment at byte 2"},
	{"g.a..b", false, false, "empty segment at byte 4"},
	{"g.a b", false, false, "byte 0x20"},
	{"g.a/b", false, false, "byte 0x2f"},
	{"g.ä", false, false, "byte 0xc3"},
	{"g.a\n", false, false, "byte 0x0a"},
	{"g", false, true, `scheme "g" alone`},
	{"test", false, true, `scheme "test" alone`},
	{"unknown", false, true, `scheme "unknown"`}, // the name of a connector before it has an address
	{"G.a", false, true, `scheme "G"`},
	{"test0.a", false, true, `scheme "test0"`},
	{"test4.a", false, true, `scheme "test4"`},
	{"test12.a", false, true, `scheme "test12"`},
	{"ga.b", false, true, `scheme "ga"`},
	{"levels.g.a", false, true, `scheme "levels"`},
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range addresses {
		require.Equal(t, rfc0015.MatchString(c.address) && len(c.address) <= 1023, c.destination, "the table: %q", c.address)
		p := prepare()
		p.Destination = c.address
		b, err := p.AppendBinary(nil)
		if c.destination {
			require.NoError(t, err, c.address)
			got, err := ilp.Decode(b)
			require.NoError(t, err, c.address)
			require.Equal(t, c.address, got.(ilp.Prepare).Destination)
		} else {
			require.ErrorIs(t, err, ilp.ErrMalformed, c.address)
			require.ErrorContains(t, err, "destination: ")
			require.ErrorContains(t, err, c.reason)
		}
		r := reject()
		r.TriggeredBy = c.address
		b, err = r.AppendBinary(nil)
		if c.by {
			require.NoError(t, err, c.address)
			got, err := ilp.Decode(b)
			require.NoError(t, err, c.address)
			require.Equal(t, c.address, got.(ilp.Reject).TriggeredBy)
		} else {
			require.ErrorIs(t, err, ilp.ErrMalformed, c.address)
			require.ErrorContains(t, err, "triggeredBy: ")
		}
	}
}

// A packet that another program wrote is refused when it is read, with the place of the address.
func TestDecodeRefusesAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range addresses {
		if c.destination || len(c.address) > len("test.hub.alice") || len(c.address) == 0 {
			continue
		}
		p := prepare()
		p.Destination = "g." + strings.Repeat("a", len(c.address))
		p.Destination = p.Destination[:max(3, len(c.address))]
		b := encode(t, p)
		if len(p.Destination) != len(c.address) {
			continue // there is no valid one of this length to write over
		}
		copy(b[60:], c.address)
		_, err := ilp.Decode(b)
		require.ErrorIs(t, err, ilp.ErrMalformed, c.address)
		require.ErrorContains(t, err, "destination at byte 59", c.address)
		require.ErrorContains(t, err, c.reason)
	}
}

// FuzzAddress: a destination is accepted if and only if the regular expression of RFC 0015 matches.
func FuzzAddress(f *testing.F) {
	for _, c := range addresses {
		f.Add(c.address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		p := prepare()
		p.Destination = address
		_, err := p.AppendBinary(nil)
		require.Equal(t, rfc0015.MatchString(address) && len(address) <= 1023 && !strings.HasSuffix(address, "\n"), err == nil, "%q", address)
	})
}

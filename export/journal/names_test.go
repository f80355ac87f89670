package journal_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export/journal"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []struct{ id, ledger, beancount string }{
		{"alice", "alice", "Alice"},
		{"Alice", "Alice", "0--Alice"},
		{"g.us.alice", "g.us.alice", "G-2Eus-2Ealice"},
		{"a:b  c;d", "a%3Ab%20%20c%3Bd", "A-3Ab-20-20c-3Bd"},
		{"4711", "4711", "4711"},
		{".hidden", ".hidden", "0---2Ehidden"},
		{"0--Alice", "0--Alice", "0-2D-2DAlice"},
		{`"quoted"` + "\n", "%22quoted%22%0A", "0---22quoted-22-0A"},
		{"日本", "日本", "0---E6-97-A5-E6-9C-AC"},
		{"100%", "100%25", "100-25"},
		{"#00ab", "%2300ab", "0---2300ab"},
	} {
		require.Equal(t, name.ledger, journal.LedgerAccount(name.id), name.id)
		require.Equal(t, name.beancount, journal.BeancountAccount(name.id), name.id)
	}
	for _, name := range []struct{ code, ledger, beancount string }{
		{"USD", "USD.9", "USD-9"},
		{"USDt", "USDt.9", "USD_T-9"},
		{"eur", "eur.9", "X''_E_U_R-9"},
		{"1INCH", "1INCH.9", "X''1INCH-9"},
		{"USD.9", "USD.9.9", "USD'2E9-9"},
		{"USD-9", "USD-9.9", "USD-9-9"},
		{"€", "%E2%82%AC.9", "X'''E2'82'AC-9"},
		{`A"B`, "A%22B.9", "A'22B-9"},
	} {
		require.Equal(t, name.ledger, journal.LedgerCommodity(name.code, 9), name.code)
		require.Equal(t, name.beancount, journal.BeancountCommodity(name.code, 9), name.code)
	}
}

func TestNamesThatNoIDHas(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a%", "a%2", "a%zz"} {
		_, err := journal.ReadLedgerAccount(name)
		require.ErrorContains(t, err, name)
	}
	_, err := journal.ReadBeancountAccount("A-2")
	require.ErrorContains(t, err, "ends within an escape")
	for _, name := range []string{"USD", "USD.256", "USD.x", "%x.1"} {
		_, _, err := journal.ReadLedgerCommodity(name)
		require.Error(t, err, name)
	}
	for _, name := range []string{"USD", "USD-256", "'-1"} {
		_, _, err := journal.ReadBeancountCommodity(name)
		require.Error(t, err, name)
	}
}

// beancountCommodity is what both versions of beancount take, but for the length.
var (
	beancountAccount   = regexp.MustCompile(`^[A-Z0-9][A-Za-z0-9-]*$`)
	beancountCommodity = regexp.MustCompile(`^[A-Z][A-Z0-9'._-]*[A-Z0-9]$`)
)

// Each name is read back as the id that it came from, so two ids never have one name; and the programs
// take the name.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"alice", "Alice", "0--Alice", "Hash--00", "g.us.alice", "%41", "-41", "'41", "X''A", "_a", "日本", "a\x00b", "\"\\\n", "#00", " a  b;", "\ufeff", "ǅ", "²"} {
		f.Add(seed, uint8(9))
	}
	f.Fuzz(func(t *testing.T, s string, scale uint8) {
		if s == "" || !utf8.ValidString(s) {
			return // no id
		}
		name := journal.LedgerAccount(s)
		id, err := journal.ReadLedgerAccount(name)
		require.NoError(t, err)
		require.Equal(t, s, id)
		require.True(t, strings.IndexFunc(name, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`#:;"()[]{}@=|*!`, r)
		}) < 0, name)

		name = journal.BeancountAccount(s)
		id, err = journal.ReadBeancountAccount(name)
		require.NoError(t, err)
		require.Equal(t, s, id)
		require.Regexp(t, beancountAccount, name)
		require.False(t, strings.HasPrefix(name, "Hash--"))

		name = journal.LedgerCommodity(s, scale)
		code, readScale, err := journal.ReadLedgerCommodity(name)
		require.NoError(t, err)
		require.Equal(t, s, code)
		require.Equal(t, scale, readScale)
		require.NotContains(t, name, `"`)

		name = journal.BeancountCommodity(s, scale)
		code, readScale, err = journal.ReadBeancountCommodity(name)
		require.NoError(t, err)
		require.Equal(t, s, code)
		require.Equal(t, scale, readScale)
		require.Regexp(t, beancountCommodity, name)
		require.NotContains(t, name, ".")
	})
}

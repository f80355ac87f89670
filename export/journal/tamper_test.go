package journal_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export/journal/journaltest"
)

// One unit more or less in any number of a file is refused: in a posting, a balance after it, an opening or a closing
// balance, and in either limb. So the balances in the files are checked by the programs.
func TestProgramsRefuseOneUnit(t *testing.T) {
	t.Parallel()
	journaltest.Each(t, func(t *testing.T, p journaltest.Program) {
		t.Helper()
		rng, _ := seeded(t)
		b := randomBook(rng, 40)
		b.begin(10)
		parts, _ := b.write(t, p.Format)
		path := filepath.Join(t.TempDir(), "export"+p.Format.Extension)
		require.NoError(t, os.WriteFile(path, []byte(parts[0]), 0o600))
		_, err := p.Balances(t, path)
		require.NoError(t, err)
		for range 12 {
			tampered, line := tamper(rng, parts[0])
			require.NoError(t, os.WriteFile(path, []byte(tampered), 0o600))
			_, err := p.Balances(t, path)
			require.Error(t, err, line)
			require.IsType(t, &journaltest.Refusal{}, err)
		}
	})
}

// The same unit more in both legs of an entry leaves it balanced: the balances show it.
func TestProgramsRefuseOneUnitInBothLegs(t *testing.T) {
	t.Parallel()
	journaltest.Each(t, func(t *testing.T, p journaltest.Program) {
		t.Helper()
		b := smallBook()
		parts, _ := b.write(t, p.Format)
		path := filepath.Join(t.TempDir(), "export"+p.Format.Extension)
		tampered := strings.NewReplacer("  2.50 ", "  2.51 ", "  -2.50 ", "  -2.51 ").Replace(parts[0])
		require.NotEqual(t, parts[0], tampered)
		require.NoError(t, os.WriteFile(path, []byte(tampered), 0o600))
		_, err := p.Balances(t, path)
		require.IsType(t, &journaltest.Refusal{}, err)
	})
}

// number is a number with a commodity behind it, as amounts and balances have.
var number = regexp.MustCompile(`  -?[0-9.]+ ["~A-Z]|= -?[0-9.]+ "`)

// tamper changes the last digit of a random number, by one.
func tamper(rng *rand.Rand, text string) (tampered, line string) {
	lines := strings.SplitAfter(text, "\n")
	var numbers [][3]int // the line, and where its number begins and ends
	for i, line := range lines {
		for _, at := range number.FindAllStringIndex(line, -1) {
			numbers = append(numbers, [3]int{i, at[0], at[1]})
		}
	}
	chosen := numbers[rng.IntN(len(numbers))]
	line = lines[chosen[0]]
	last := chosen[2] - 3 // before the space and the commodity
	digit := line[last] + 1
	if digit > '9' {
		digit = '8'
	}
	lines[chosen[0]] = line[:last] + string(digit) + line[last+1:]
	return strings.Join(lines, ""), lines[chosen[0]]
}

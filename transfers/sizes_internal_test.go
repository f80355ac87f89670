package transfers

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// docs/performance.md says the size of an operation and of a Future.
func TestSizesAreThoseOfTheDocs(t *testing.T) {
	t.Parallel()
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("needs a 64-bit machine: the documented sizes are for 64 bits")
	}
	docs, err := os.ReadFile("../docs/performance.md")
	require.NoError(t, err)
	text := strings.Join(strings.Fields(string(docs)), " ")
	for _, says := range []string{
		fmt.Sprintf("A queued operation is a struct of %d bytes and %d bytes of a block of %d slots",
			unsafe.Sizeof(operation{}), unsafe.Sizeof(resultSlot{}), slotsPerBlock),
		fmt.Sprintf("a `Future` is %d bytes", unsafe.Sizeof(Future{})),
	} {
		require.True(t, strings.Contains(text, says), "docs/performance.md does not say: %s", says)
	}
}

// Package small is code that the tests of mutants mutate.
package small

import "errors"

// Flags of a Record.
const (
	First  = 1 << 0
	Second = 1 << 1
)

// Record has flags.
type Record struct{ Flags int }

// Max is the larger of two numbers: which of them if they are equal makes no difference.
func Max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

// Small says whether n is below 10. No test asks about 9 and 10.
func Small(n int) bool { return n < 10 }

// Both is a record with both flags.
func Both() Record { return Record{Flags: First | Second} }

// Sum adds up numbers and counts them.
func Sum(numbers []int, count func()) int {
	sum := 0
	for i := 0; i < len(numbers); {
		sum += numbers[i]
		i = next(i)
		count()
	}
	return sum
}

func next(i int) int { return i + 1 }

// ErrEmpty says that there is nothing.
var ErrEmpty = errors.New("empty")

// Last returns the last of some numbers, or ErrEmpty. No test calls it.
func Last(numbers []int) (int, error) {
	if len(numbers) == 0 {
		return 0, ErrEmpty
	}
	return numbers[len(numbers)-1:][0], nil
}

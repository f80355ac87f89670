package small

import "testing"

func TestMax(t *testing.T) {
	t.Parallel()
	if Max(1, 2) != 2 || Max(2, 1) != 2 || Max(1, 1) != 1 {
		t.Fatal("not the larger one")
	}
}

func TestSmall(t *testing.T) {
	t.Parallel()
	if !Small(1) || Small(100) {
		t.Fatal("not small")
	}
}

func TestBoth(t *testing.T) {
	t.Parallel()
	if Both().Flags != 3 {
		t.Fatal("not both")
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	count := 0
	if Sum([]int{1, 2, 3}, func() { count++ }) != 6 || count != 3 {
		t.Fatal("not the sum")
	}
}

// TestFails fails on the unchanged code, and notices nothing therefore.
func TestFails(t *testing.T) {
	t.Parallel()
	t.Fatal("as always")
}

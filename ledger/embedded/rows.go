package embedded

import "sort"

// place is the index of a row in a list in memory.
type place uint32

// maxPlaces is the largest number of rows of a list: an idTable keeps a place and one in 32 bits.
const maxPlaces = 1<<32 - 1

const chunkRows = 1 << 10

// rows is a list that grows and shrinks at its end only. It is kept in chunks, so that a row never
// moves: growth copies nothing, and pointers to rows stay valid.
type rows[T any] struct {
	chunks []*[chunkRows]T
	count  place
}

func (r *rows[T]) rowAt(p place) *T { return &r.chunks[p/chunkRows][p%chunkRows] }

// appendRow appends a row with arbitrary content and returns it.
func (r *rows[T]) appendRow() *T {
	if int(r.count/chunkRows) == len(r.chunks) {
		r.chunks = append(r.chunks, new([chunkRows]T))
	}
	r.count++
	return r.rowAt(r.count - 1)
}

// cloneRows copies the rows.
func (r *rows[T]) cloneRows() rows[T] {
	copied := rows[T]{count: r.count}
	for _, chunk := range r.chunks {
		c := *chunk
		copied.chunks = append(copied.chunks, &c)
	}
	return copied
}

// truncateTo drops all rows from n on.
func (r *rows[T]) truncateTo(n place) { r.count = n }

// searchFirst returns the first row for which past is true, the count if there is none. past must
// be false for the rows before and true for the rows after.
func (r *rows[T]) searchFirst(past func(*T) bool) place {
	return place(sort.Search(int(r.count), func(i int) bool { return past(r.rowAt(place(i))) }))
}

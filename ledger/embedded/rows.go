package embedded

import "sort"

// position is the place of an account or a transfer in its list.
type position uint32

const chunkRows = 1 << 10

// rows is a list that grows and is cut at its end only. It is kept in chunks, so
// that a row never moves: growing copies nothing, and pointers to rows stay good.
type rows[T any] struct {
	chunks []*[chunkRows]T
	len    position
}

func (r *rows[T]) at(p position) *T { return &r.chunks[p/chunkRows][p%chunkRows] }

// add makes one more row, whose content is anything, and returns it.
func (r *rows[T]) add() *T {
	if int(r.len/chunkRows) == len(r.chunks) {
		r.chunks = append(r.chunks, new([chunkRows]T))
	}
	r.len++
	return r.at(r.len - 1)
}

// clone copies the rows.
func (r *rows[T]) clone() rows[T] {
	copied := rows[T]{len: r.len}
	for _, chunk := range r.chunks {
		c := *chunk
		copied.chunks = append(copied.chunks, &c)
	}
	return copied
}

// cut drops all rows from n on.
func (r *rows[T]) cut(n position) { r.len = n }

// search returns the first row for which past is true, r.len if none. past must
// be false for some first rows and true for all the others.
func (r *rows[T]) search(past func(*T) bool) position {
	return position(sort.Search(int(r.len), func(i int) bool { return past(r.at(position(i))) }))
}

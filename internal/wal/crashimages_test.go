package wal

import (
	"iter"
	"maps"
	"slices"
)

const sector = 512

// crashImageStep is 1 for each folder of crashImages, and n for each nth.
var crashImageStep = 1

// crashImages returns the folders, or each of crashImageStep folders, that a stop of the machine can leave of m. Each change of a name
// happened or not, with all of the writes or none. And each file is written in part in many ways,
// with all changes of names or none, and with all of the writes to other files or none.
func (m *memory) crashImages() iter.Seq[map[string][]byte] {
	return func(yield func(map[string][]byte) bool) {
		images := 0
		next := func(changed []nameChange, content func(*inode) []byte) bool {
			images++
			return images%crashImageStep != 0 || yield(m.crashImage(changed, content))
		}
		none := func(node *inode) []byte { return node.disk }
		all := func(node *inode) []byte { return node.contentAfter(node.writes) }
		for _, content := range []func(*inode) []byte{none, all} {
			for changed := range subsets(m.changes) {
				if !next(changed, content) {
					return
				}
			}
		}
		for _, torn := range m.unsyncedInodes() {
			for part := range torn.partialContents() {
				for _, others := range []func(*inode) []byte{none, all} {
					content := func(node *inode) []byte {
						if node == torn {
							return part
						}
						return others(node)
					}
					if !next(nil, content) || len(m.changes) > 0 && !next(m.changes, content) {
						return
					}
				}
			}
		}
	}
}

// crashImage returns a folder with some changes of names, and some content.
func (m *memory) crashImage(changed []nameChange, content func(*inode) []byte) map[string][]byte {
	names := maps.Clone(m.onDisk)
	for _, c := range changed {
		c.applyTo(names)
	}
	files := map[string][]byte{}
	for name, node := range names {
		files[name] = content(node)
	}
	return files
}

func (m *memory) unsyncedInodes() []*inode {
	var nodes []*inode
	for _, names := range []map[string]*inode{m.names, m.onDisk} {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if node := names[name]; len(node.writes) > 0 && !slices.Contains(nodes, node) {
				nodes = append(nodes, node)
			}
		}
	}
	return nodes
}

// subsets returns all subsets, each in order.
func subsets[T any](all []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for mask := range 1 << len(all) {
			var some []T
			for i, v := range all {
				if mask>>i&1 == 1 {
					some = append(some, v)
				}
			}
			if !yield(some) {
				return
			}
		}
	}
}

// partialContents returns contents that the file can have if only a part was written: some writes
// and not others, and any beginning of a write; some sectors and not others; and zeros or garbage
// in the places not written yet.
func (n *inode) partialContents() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i, w := range n.writes {
			before := n.contentAfter(n.writes[:i])
			if !yield(before) || !yield(n.contentAfter(n.writes[i:i+1])) || !yield(n.contentAfter(slices.Delete(slices.Clone(n.writes), i, i+1))) {
				return
			}
			for _, length := range cutLengths(w) {
				if !yield(fileWrite{w.offset, w.data[:length]}.applyTo(before)) {
					return
				}
			}
		}
		was, is := n.disk, n.contentAfter(n.writes)
		for at := 0; at < len(is); at += sector {
			end := min(at+sector, len(is))
			missing, alone := slices.Clone(is), resized(was, max(len(was), len(is)))
			copy(missing[at:end], resized(was, max(len(was), len(is)))[at:])
			copy(alone[at:end], is[at:])
			if !yield(missing) || !yield(alone) {
				return
			}
		}
		if len(is) <= len(was) {
			return
		}
		zeros, garbage := resized(was, len(is)), resized(was, len(is))
		for i := len(was); i < len(is); i++ {
			garbage[i] = byte(i*i + 7*i + 3)
		}
		_ = yield(zeros) && yield(garbage)
	}
}

// cutLengths returns the numbers of bytes of a write that may have been written: any number for a
// short write, else up to the ends of sectors and next to them.
func cutLengths(w fileWrite) []int {
	var lengths []int
	for length := 1; length < len(w.data); length++ {
		within := (int(w.offset) + length) % sector
		if len(w.data) <= 32 || within <= 1 || within == sector-1 || length == 1 || length == len(w.data)-1 {
			lengths = append(lengths, length)
		}
	}
	return lengths
}

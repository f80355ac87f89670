package accounts

import (
	"bufio"
	"io"
	"iter"
)

// ReadStatement reads the entries of a statement in an asset, in JSON, which begins with a brace, or else in CSV: see
// [ReadJSON] and [ReadCSV].
func ReadStatement(r io.Reader, asset Asset) iter.Seq2[Entry, error] {
	text := bufio.NewReader(r)
	head, _ := text.Peek(64) // a shorter file has a shorter head; other errors come again
	for _, c := range string(head) {
		switch c {
		case '{':
			return ReadJSON(text, asset)
		case '\ufeff', ' ', '\t', '\r', '\n':
		default:
			return ReadCSV(text, asset)
		}
	}
	return ReadCSV(text, asset)
}

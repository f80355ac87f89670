package bankfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// The limits of a file. A file beyond them is refused with the class [RefusedSize].
const (
	MaxSize  = 64 << 20 // bytes of a file
	maxItems = 200_000  // entries and details of a file
	maxDepth = 64       // nested elements

	maxElements   = 4_000_000
	maxStatements = 10_000   // of a file
	maxText       = 4 << 10  // bytes of one element's text, or of one field
	maxRecord     = 64 << 10 // bytes of one tag of XML, or of one row of CSV
	maxLines      = 1000     // of one field of MT940

	checkEvery = 1000 // elements, lines or rows between two looks at the context
)

// Read reads a file of at most [MaxSize] bytes. A longer file is refused.
func Read(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, refuse(RefusedSize, "", "the file has more than %d bytes", MaxSize)
	}
	return data, nil
}

// Parse reads a bank file. A mapping makes the file CSV; without one the first character tells camt from MT940. Parse returns a
// [RefusedError] for a file that cannot be read, another error for a mapping with a fault, and the context's error soon after
// the context has ended.
func Parse(ctx context.Context, data []byte, mapping *Mapping) (File, error) {
	if len(data) > MaxSize {
		return File{}, refuse(RefusedSize, "", "the file has more than %d bytes", MaxSize)
	}
	sum := sha256.Sum256(data)
	file, err := parseKind(ctx, data, mapping)
	file.Fingerprint = hex.EncodeToString(sum[:8])
	return file, err
}

func parseKind(ctx context.Context, data []byte, mapping *Mapping) (File, error) {
	if mapping != nil {
		return parseCSV(ctx, data, *mapping)
	}
	if bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.HasPrefix(data, []byte("\xff\xfe")) {
		text, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Bytes(data)
		if err != nil {
			return File{}, refuse(RefusedNotWellFormed, "", "not UTF-16: %v", err)
		}
		data = text
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		return parseCamt(ctx, bytes.TrimSpace(data))
	}
	return parseMT940(ctx, decodeLatin1(data))
}

// decodeLatin1 returns UTF-8 text as it is, and other text as Latin-1.
func decodeLatin1(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	text, err := charmap.ISO8859_1.NewDecoder().Bytes(data)
	if err != nil {
		return string(data)
	}
	return string(text)
}

// findEncoding returns the encoding of a name, nil for UTF-8.
func findEncoding(name string) (encoding.Encoding, error) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "utf-8", "utf8", "us-ascii":
		return nil, nil
	case "iso-8859-1", "latin-1", "latin1":
		return charmap.ISO8859_1, nil
	case "windows-1252", "cp1252":
		return charmap.Windows1252, nil
	case "utf-16", "utf-16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), nil
	}
	return nil, fmt.Errorf("encoding %q is none of utf-8, iso-8859-1, windows-1252, utf-16", name)
}

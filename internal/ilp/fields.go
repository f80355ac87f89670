package ilp

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Sizes of RFC 0027, in bytes unless said otherwise.
const (
	amountSize  = 8
	timeSize    = 17
	hashSize    = 32
	codeSize    = 3
	maxAddress  = 1023
	maxMessage  = 8191 // characters
	maxData     = 32767
	prepareSize = amountSize + timeSize + hashSize // the fixed part of a PREPARE
)

func checkCode(code string) error {
	if len(code) != codeSize {
		return fmt.Errorf("an error code of %d bytes, want %d", len(code), codeSize)
	}
	for i := range len(code) {
		if code[i] >= utf8.RuneSelf {
			return fmt.Errorf("byte %#02x in an error code", code[i])
		}
	}
	return nil
}

func checkMessage(message string) error {
	if !utf8.ValidString(message) {
		return errors.New("not UTF-8")
	}
	if n := utf8.RuneCountInString(message); n > maxMessage {
		return fmt.Errorf("%d characters, at most %d are allowed", n, maxMessage)
	}
	return nil
}

func checkData(data []byte) error {
	if len(data) > maxData {
		return fmt.Errorf("%d bytes, at most %d are allowed", len(data), maxData)
	}
	return nil
}

func checkTime(t time.Time) error {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("year %d has not four digits", year)
	}
	return nil
}

// appendTime appends the 17 digits YYYYMMDDHHMMSSfff of t in UTC.
func appendTime(b []byte, t time.Time) []byte {
	b = t.UTC().AppendFormat(b, "20060102150405")
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(b, '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10))
}

// parseTime reads the digits written by appendTime; ok is false for anything else.
func parseTime(b []byte) (t time.Time, ok bool) {
	number := func(from, to int) (n int) {
		for _, c := range b[from:to] {
			n = 10*n + int(c) - '0'
		}
		return n
	}
	t = time.Date(number(0, 4), time.Month(number(4, 6)), number(6, 8),
		number(8, 10), number(10, 12), number(12, 14), number(14, 17)*int(time.Millisecond), time.UTC)
	// time.Date carries over: 32 January is 1 February, and bytes other than digits give some date
	// too. Only a real date is written as it was read.
	return t, string(appendTime(make([]byte, 0, timeSize), t)) == string(b)
}

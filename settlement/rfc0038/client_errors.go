package rfc0038

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/peerledger/peerledger/ledger"
)

// AnswerError is an engine's answer other than 2xx. It matches exactly one of [ErrUnknownAccount],
// [ErrKeySeen], [ErrRefused] and [ledger.ErrOutcomeUnknown]: see [Client.SendSettlement].
type AnswerError struct {
	Method string
	URL    string
	Status int
	// Excerpt is the beginning of the body in one line of at most 200 printable characters. Bodies are
	// for people: engines answer with text, problem+json, or pages with a stack trace.
	Excerpt string
}

func (e *AnswerError) Error() string {
	text := fmt.Sprintf("rfc0038: %s %s: the engine answered %d", e.Method, e.URL, e.Status)
	if e.Excerpt != "" {
		text += fmt.Sprintf(" %q", e.Excerpt)
	}
	return text
}

// Is reports whether target is the error of the next step.
func (e *AnswerError) Is(target error) bool {
	switch outcomeOfStatus(e.Status) {
	case OutcomeNoAccount:
		return target == ErrUnknownAccount
	case OutcomeSeen:
		return target == ErrKeySeen
	case OutcomeRefused:
		return target == ErrRefused
	case OutcomeTaken, OutcomeUnknown:
	}
	return target == ledger.ErrOutcomeUnknown
}

// NoAnswerError is a request without an answer: the engine could not be reached, closed the
// connection, or was silent for [ClientConfig.Timeout]. The engine may have taken the request, and may
// still be working on it. The error matches [ledger.ErrOutcomeUnknown], and wraps the cause.
type NoAnswerError struct{ Err error }

func (e *NoAnswerError) Error() string { return fmt.Sprintf("rfc0038: no answer: %v", e.Err) }

// Is reports whether target is [ledger.ErrOutcomeUnknown].
func (e *NoAnswerError) Is(target error) bool { return target == ledger.ErrOutcomeUnknown }

// Unwrap returns the cause.
func (e *NoAnswerError) Unwrap() error { return e.Err }

// outcomeOf classifies the error of a request.
func outcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeTaken
	}
	if refused, ok := errors.AsType[*AnswerError](err); ok {
		return outcomeOfStatus(refused.Status)
	}
	return OutcomeUnknown
}

// outcomeOfStatus decides by the status alone: bodies and their types are wrong too often.
func outcomeOfStatus(status int) Outcome {
	switch status {
	case http.StatusNotFound:
		return OutcomeNoAccount
	case http.StatusConflict:
		return OutcomeSeen
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, // refuse us, whatever we ask
		http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return OutcomeUnknown
	}
	switch status / 100 {
	case 2:
		return OutcomeTaken
	case 4:
		return OutcomeRefused
	default:
		return OutcomeUnknown
	}
}

const maxExcerpt = 200 // characters

// excerptOf returns the beginning of a body as one printable line.
func excerptOf(body []byte) string {
	const enough = utf8.UTFMax * 4 * maxExcerpt
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return ' '
	}, string(body[:min(len(body), enough)]))
	line := []rune(strings.Join(strings.Fields(text), " "))
	return string(line[:min(len(line), maxExcerpt)])
}

package operatorlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/peerledger/peerledger/internal/jsonline"
)

const (
	// maxLine bounds a line with its line feed. The reader counts a longer line as damaged.
	maxLine = 64 << 10
	// maxText bounds each text of the second line, so that the second line of a valid first line is valid too.
	maxText = 2 << 10
	// lockTimeout is the time after which a lock of another process is an error. The lock is held for one write and one sync.
	lockTimeout = 10 * time.Second
	lockPoll    = 2 * time.Millisecond
)

// Log appends to a journal. All methods may be called concurrently.
type Log struct {
	path string

	mu     sync.Mutex // one append at a time; held for a write and a sync, as is the lock of the file
	lock   *flock.Flock
	closed bool
}

// Act is an act that has begun.
type Act struct {
	log   *Log
	entry Entry

	mu    sync.Mutex
	ended bool
}

// Open opens a journal and checks that lines can be appended. It creates a missing file with mode 0o600; the folder must exist.
// Errors are [ErrBusy] or the file system's.
func Open(path string) (*Log, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("operatorlog: %w", err)
	}
	l := &Log{path: path, lock: flock.New(path+".lock", flock.SetPermissions(0o600))}
	err = l.withLock(func() error {
		file, err := openForAppend(path)
		if err != nil {
			return err
		}
		return file.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("operatorlog: open %s: %w", path, err)
	}
	return l, nil
}

// Path returns the absolute path of the journal.
func (l *Log) Path() string { return l.path }

// Begin writes an act to the journal. The line is on disk before Begin returns. After an error do not act: the journal may not
// have the act. Begin ignores the fields of the second line.
//
// Errors are [ErrInvalid], [ErrClosed], [ErrBusy] or the file system's, for a full disk too.
func (l *Log) Begin(e Entry) (*Act, error) {
	if e.Who == "" || e.Via == "" || e.Action == "" {
		return nil, fmt.Errorf("%w: who, via and action must be set", ErrInvalid)
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never returns an error
	e.ID = hex.EncodeToString(id[:])
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC().Round(0)
	e.Outcome, e.Transfer, e.Error, e.EndedAt = "", "", "", time.Time{}
	// The second line is checked now: an act whose end cannot be written would stay unknown.
	if err := checkSize(e); err != nil {
		return nil, err
	}
	if err := l.append(e); err != nil {
		return nil, fmt.Errorf("operatorlog: the act is not in the journal %s: %w", l.path, err)
	}
	return &Act{log: l, entry: e}, nil
}

// checkSize refuses an entry that leaves no room for the fields of the second line.
func checkSize(e Entry) error {
	line, err := encodeLine(e)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if limit := maxLine / 2; len(line) > limit { // JSON makes at most six bytes of one: both texts become 24 KiB
		return fmt.Errorf("%w: it takes %d bytes, and may take %d", ErrInvalid, len(line), limit)
	}
	return nil
}

// ID returns the id of the act.
func (a *Act) ID() string { return a.entry.ID }

// Amend changes the entry of the second line: with the amount that was booked, for example. The id, the time, the operator
// and the program stay, and so does the first line.
func (a *Act) Amend(change func(*Entry)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	begun := a.entry
	change(&a.entry)
	a.entry.ID, a.entry.Time, a.entry.Who, a.entry.Via = begun.ID, begun.Time, begun.Who, begun.Via
}

// End writes the outcome of the act. transfer is the id of the transfer that books the change, or "". err, which may be nil, is
// the error that ended the act. The line is on disk before End returns.
//
// End returns [ErrEnded] for an act that has ended. After other errors the journal has no end of the act, which is shown as
// unknown; the outcome of the act stays the same. End may be called again then, also after [Log.Close].
func (a *Act) End(outcome Outcome, transfer string, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return ErrEnded
	}
	if !slices.Contains(outcomes, outcome) {
		return fmt.Errorf("%w: there is no outcome %q", ErrInvalid, outcome)
	}
	e := a.entry
	if checkSize(e) != nil { // it was amended: the first line still fits
		e.Note, e.Before, e.After = "", "", ""
	}
	e.Outcome, e.Transfer, e.EndedAt = outcome, cutText(transfer), time.Now().UTC().Round(0)
	if err != nil {
		e.Error = cutText(err.Error())
	}
	if err := a.log.append(e); err != nil {
		return fmt.Errorf("operatorlog: the outcome %q is not in the journal %s: %w", outcome, a.log.path, err)
	}
	a.ended = true
	return nil
}

// cutText cuts a text to maxText bytes.
func cutText(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + " ..."
}

// Close refuses further acts. Acts that have begun can still end.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

// append writes an entry as one line and syncs the file.
func (l *Log) append(e Entry) error {
	line, err := encodeLine(e)
	if err != nil {
		return err
	}
	return l.withLock(func() error {
		if l.closed && e.Outcome == "" {
			return ErrClosed
		}
		// The file is opened for each line: if a tool has moved the file away, the journal goes on in a new one.
		file, err := openForAppend(l.path)
		if err != nil {
			return err
		}
		return errors.Join(appendLine(file, line), file.Close())
	})
}

// withLock calls do under both locks.
func (l *Log) withLock(do func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout) //nolint:forbidigo // an act that has begun must end, also after its context
	defer cancel()
	switch locked, err := l.lock.TryLockContext(ctx, lockPoll); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %s", ErrBusy, l.lock.Path())
	case err != nil:
		return fmt.Errorf("lock: %w", err)
	case !locked:
		return fmt.Errorf("%w: %s", ErrBusy, l.lock.Path())
	}
	return errors.Join(do(), l.lock.Unlock())
}

// encodeLine returns an entry as a line with its line feed. JSON text has no line feed within an object.
func encodeLine(e Entry) ([]byte, error) {
	var text bytes.Buffer
	err := jsonline.Write(&text, e)
	return text.Bytes(), err
}

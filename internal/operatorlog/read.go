package operatorlog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/peerledger/peerledger/internal/jsonline"
)

// DefaultLimit is the Limit of a [Filter] with Limit 0.
const DefaultLimit = 1000

// Filter selects entries. The zero value selects the newest [DefaultLimit] ones.
type Filter struct {
	Peer     string    // the whole id; "" is each
	Who      string    // a part of Who, in any case: "ann" finds "root (sudo by ann)"; "" is each
	Action   string    // a part of Action, in any case; "" is each
	From, To time.Time // From <= Time < To; zero is open
	Limit    int       // at most so many entries, the newest; 0 is DefaultLimit
	MaxBytes int64     // at most so many bytes are read from the end of the file; 0 is no bound
}

// ErrCut is returned by [Read], beside the entries, if MaxBytes ended the search: older acts were not searched.
var ErrCut = errors.New("operatorlog: older acts were not searched")

// maxSkew is how far the clocks of the processes that write one journal may be apart.
const maxSkew = 24 * time.Hour

// Selects reports whether the filter selects an entry, apart from Limit and MaxBytes.
func (f *Filter) Selects(e *Entry) bool {
	return (f.Peer == "" || f.Peer == e.Peer) && containsFold(e.Who, f.Who) && containsFold(e.Action, f.Action) &&
		(f.From.IsZero() || !e.Time.Before(f.From)) && (f.To.IsZero() || e.Time.Before(f.To))
}

// containsFold reports whether text contains part, in any case.
func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// DamageError is returned by [Read], beside the entries, for lines that are no entries: torn by a crash, or changed. A torn first line of an
// act means that the act never began. It matches [ErrDamaged].
type DamageError struct {
	Path   string
	Lines  int   // the number of damaged lines that were read
	Offset int64 // the byte at which the last one of the file begins
	AtEnd  bool  // that line is the end of the file, without a line feed
	Cause  string
}

func (e *DamageError) Error() string {
	where := fmt.Sprintf("the last one begins at byte %d", e.Offset)
	if e.AtEnd {
		where = fmt.Sprintf("the file ends in a line that a crash has torn, at byte %d", e.Offset)
	}
	return fmt.Sprintf("%v in %s: %d: %s: %s", ErrDamaged, e.Path, e.Lines, where, e.Cause)
}

// Is reports whether target is [ErrDamaged].
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// Read returns the acts of a journal that a filter selects, the latest begin first. The file is read from its end, until Limit acts are found,
// or a line is a day older than From, the clocks of several processes being less than a day apart: memory is for Limit entries, and for the ids of the acts at work at once. An act without an end has the outcome [Unknown], the
// error [MissingEnd] and no EndedAt. Processes may append meanwhile.
//
// Read returns the entries together with a [DamageError] if it met damaged lines, and with [ErrCut]. Other errors come without entries: a missing
// file is [fs.ErrNotExist]; the end of ctx.
func Read(ctx context.Context, path string, f Filter) ([]Entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("operatorlog: %w", err)
	}
	defer file.Close() //nolint:errcheck // opened only for reading
	size, err := measureWhole(ctx, path, file)
	if err != nil {
		return nil, fmt.Errorf("operatorlog: %w", err)
	}
	return readEntries(ctx, file, size, path, f)
}

// readEntries is [Read] of the first size bytes of a file.
func readEntries(ctx context.Context, file io.ReaderAt, size int64, path string, f Filter) ([]Entry, error) {
	r := reader{filter: f, ended: map[string]bool{}, damage: DamageError{Path: path}}
	r.filter.Limit = cmp.Or(f.Limit, DefaultLimit)
	if err := r.readLines(ctx, newLineScanner(file, size), size); err != nil {
		return nil, fmt.Errorf("operatorlog: read %s: %w", path, err)
	}
	slices.SortStableFunc(r.entries, func(x, y Entry) int { return y.Time.Compare(x.Time) })
	var errs []error
	if r.damage.Lines > 0 {
		errs = append(errs, &r.damage)
	}
	if r.isCut {
		errs = append(errs, fmt.Errorf("%w: only the newest %d bytes of %s were read", ErrCut, f.MaxBytes, path))
	}
	return r.entries, errors.Join(errs...)
}

// measureWhole returns the size of the file while no process writes a line, so that a line being written is not taken for a
// torn one. A journal without its lock file is a copy, which no process writes to.
func measureWhole(ctx context.Context, path string, file *os.File) (size int64, err error) {
	lock := flock.New(path+".lock", flock.SetFlag(os.O_RDONLY))
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	_, err = lock.TryRLockContext(ctx, lockPoll)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %s", ErrBusy, lock.Path())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, errors.Join(err, lock.Close())
	}
	size, err = file.Seek(0, io.SeekEnd)
	return size, errors.Join(err, lock.Close())
}

// reader collects the entries of lines that come from the end of the journal.
type reader struct {
	filter  Filter
	entries []Entry
	ended   map[string]bool // acts whose second line was read, and whose first line was not
	damage  DamageError
	isCut   bool
}

// readLines reads lines until the filter's limits.
func (r *reader) readLines(ctx context.Context, lines *lineScanner, size int64) error {
	for len(r.entries) < r.filter.Limit {
		line, ok, err := lines.scanLine()
		if err != nil || !ok {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.filter.MaxBytes > 0 && size-lines.offset > r.filter.MaxBytes {
			r.isCut = true
			return nil
		}
		if line != nil && len(line) == 0 { // behind the last line feed
			continue
		}
		e, err := parseLine(line)
		if err != nil {
			r.noteDamage(lines.offset, lines.offset+int64(len(line)) == size, err)
			continue
		}
		if written := later(e.Time, e.EndedAt); !r.filter.From.IsZero() && written.Before(r.filter.From.Add(-maxSkew)) {
			return nil // the lines before it are older
		}
		r.addLine(e)
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// addLine adds the entry of a line, once for each act.
func (r *reader) addLine(e Entry) {
	switch {
	case e.Outcome != "" && r.ended[e.ID]: // ended twice: the newest end counts
		return
	case e.Outcome != "":
		r.ended[e.ID] = true
	case r.ended[e.ID]: // its second line has all
		delete(r.ended, e.ID)
		return
	default:
		e.Outcome, e.Error = Unknown, MissingEnd
	}
	if r.filter.Selects(&e) {
		r.entries = append(r.entries, e)
	}
}

// noteDamage counts a damaged line.
func (r *reader) noteDamage(offset int64, atEnd bool, err error) {
	if r.damage.Lines == 0 {
		r.damage.Offset, r.damage.AtEnd, r.damage.Cause = offset, atEnd, err.Error()
	}
	r.damage.Lines++
}

// parseLine reads an entry. Unknown fields are of later versions, and are ignored. A nil line is too long.
func parseLine(line []byte) (Entry, error) {
	if line == nil {
		return Entry{}, fmt.Errorf("the line is longer than %d bytes", maxLine)
	}
	parsed := struct {
		Format int `json:"json"`
		Entry
	}{}
	switch err := json.Unmarshal(line, &parsed); {
	case err != nil:
		return Entry{}, err
	case parsed.Format != jsonline.Format:
		return Entry{}, fmt.Errorf("the line has format %d, and this version reads format %d", parsed.Format, jsonline.Format)
	case parsed.ID == "" || parsed.Time.IsZero():
		return Entry{}, errors.New("the line has no id or no time")
	}
	return parsed.Entry, nil
}

package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/operatorlog"
)

// actRecord is an act as the console remembers it, or as the journal has it. It does not change once it is kept.
type actRecord struct {
	entry operatorlog.Entry // with the outcome; "" while the act is at work

	values     url.Values // of the form; nil from the journal
	note       string     // of the result
	journalErr string     // why the journal lacks the outcome
}

// isFinal reports whether sending the form again would change nothing more.
func (r *actRecord) isFinal() bool {
	return slices.Contains([]operatorlog.Outcome{operatorlog.Written, operatorlog.Already, operatorlog.Refused}, r.entry.Outcome)
}

// isOf reports whether the act was sent with the values of a form.
func (r *actRecord) isOf(f *actForm) bool { return strings.HasSuffix(r.entry.Note, f.tag()) }

// maxActs is the number of acts that a console remembers. The journal has all.
const maxActs = 1000

// acts remembers the newest acts of this process, with the values of their forms.
type acts struct {
	mu     sync.Mutex
	byID   map[string]*actRecord
	byForm map[string]*actRecord    // the latest act of each form, by the form's key
	order  []*actRecord             // the oldest first
	busy   map[string]chan struct{} // forms at work; closed when done
}

func newActs() *acts {
	return &acts{byID: map[string]*actRecord{}, byForm: map[string]*actRecord{}, busy: map[string]chan struct{}{}}
}

// lockForm waits until no other request sends the form of this key. Of two requests, the later one finds the act of the
// earlier one.
func (a *acts) lockForm(ctx context.Context, key string) (unlock func(), err error) {
	for {
		done, other := a.enterForm(key)
		if other == nil {
			return func() {
				a.mu.Lock()
				delete(a.busy, key)
				a.mu.Unlock()
				close(done)
			}, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// enterForm marks a form as busy, or returns the channel of the request that has marked it.
func (a *acts) enterForm(key string) (done, other chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if other := a.busy[key]; other != nil {
		return nil, other
	}
	done = make(chan struct{})
	a.busy[key] = done
	return done, nil
}

// keep remembers an act of a form, in the place of the record with its id.
func (a *acts) keep(key string, r *actRecord) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.byID[r.entry.ID]; old == nil {
		a.order = append(a.order, r)
	} else {
		for i := range a.order {
			if a.order[i] == old {
				a.order[i] = r
			}
		}
	}
	a.byID[r.entry.ID], a.byForm[key] = r, r
	for len(a.order) > maxActs {
		oldest := a.order[0]
		a.order = a.order[1:]
		delete(a.byID, oldest.entry.ID)
		if form := oldest.values.Get("key"); a.byForm[form] == oldest {
			delete(a.byForm, form)
		}
	}
}

func (a *acts) findByID(id string) *actRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byID[id]
}

// findByForm returns the latest act of a form in this process; nil if there is none, or it is forgotten.
func (a *acts) findByForm(f *actForm) *actRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byForm[f.key]
}

// tag is the end of the note of a journal's entry. It names the form of the act, and has a hash of all values.
func (f *actForm) tag() string {
	hash := sha256.Sum256([]byte(f.values.Encode()))
	return f.tagPrefix() + hex.EncodeToString(hash[:8]) + "]"
}

func (f *actForm) tagPrefix() string { return tagBegin + f.key + " " }

const tagBegin = "[form "

// cutTag returns a note without the tag of its form, which people do not read.
func cutTag(note string) string {
	if begin := strings.LastIndex(note, tagBegin+keyPrefix); begin >= 0 {
		return strings.TrimSpace(note[:begin])
	}
	return note
}

// findEarlier returns the latest act of a form, of this process, of an earlier one or of another console with the same journal; nil if the
// form was not sent.
func (c *Console) findEarlier(ctx context.Context, f *actForm) (*actRecord, error) {
	r := c.acts.findByForm(f)
	if r != nil && r.isFinal() {
		return r, nil
	}
	entries, err := c.readJournal(ctx, operatorlog.Filter{Peer: f.peer(), From: f.made.Add(-time.Minute), Limit: maxActs})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a tool may have moved the journal away: it goes on in a new file
		return nil, err
	}
	for i := range entries {
		switch e := entries[i]; {
		case r != nil && e.ID == r.entry.ID: // ours has the outcome, also if the journal lacks it
			return r, nil
		case strings.Contains(e.Note, f.tagPrefix()):
			return &actRecord{entry: e}, nil
		}
	}
	return r, nil
}

// readJournal reads entries, within journalBytes. Damaged lines are left out: they are no acts, or acts without an end.
func (c *Console) readJournal(ctx context.Context, filter operatorlog.Filter) ([]operatorlog.Entry, error) {
	filter.MaxBytes = c.journalBytes
	entries, err := operatorlog.Read(ctx, c.cfg.JournalFile, filter)
	if errors.Is(err, operatorlog.ErrDamaged) && !errors.Is(err, operatorlog.ErrCut) {
		err = nil
	}
	return entries, err
}

// maxJournalLook is the number of the newest entries of the journal among which an act is looked up by its id.
const maxJournalLook = 10_000

// findAct returns an act by its id; nil if it is unknown.
func (c *Console) findAct(ctx context.Context, id string) (*actRecord, error) {
	if r := c.acts.findByID(id); r != nil || len(id) != 32 {
		return r, nil
	}
	entries, err := c.readJournal(ctx, operatorlog.Filter{Limit: maxJournalLook})
	for i := range entries {
		if entries[i].ID == id {
			return &actRecord{entry: entries[i]}, nil
		}
	}
	return nil, err
}

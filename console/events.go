package console

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// streamLife bounds a stream: the browser then opens another. A session that has ended so ends its
	// streams too.
	streamLife = 5 * time.Minute
	// streamPulse is the longest silence in a stream, so that proxies keep it open, and a browser that
	// went away is noticed.
	streamPulse = 15 * time.Second
)

// streamLooks sends an event for each change of the reader's state, as long as the page is open. The
// events have no figures: the page loads itself again, with its own filter.
func (c *Console) streamLooks(w http.ResponseWriter, r *http.Request) {
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		c.fail(w, http.StatusServiceUnavailable, errors.New("too many pages are live (Config.MaxStreams): close some"))
		return
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.fail(w, http.StatusServiceUnavailable, ErrClosed)
		return
	}
	c.running.Add(1)
	c.mu.Unlock()
	defer c.running.Done()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // for nginx
	answer := http.NewResponseController(w)
	stop := wakeWrite(c.ctx, w)
	defer func() {
		stop()
		limitAnswer(w, streamPulse) // for the last bytes of the stream
	}()
	life := time.NewTimer(streamLife)
	defer life.Stop()
	pulse := time.NewTicker(streamPulse)
	defer pulse.Stop()
	event := "retry: 3000\n\n"
	for {
		_, changed := c.reader.current() // before the write: a look published meanwhile is the next event
		limitAnswer(w, streamPulse)
		if c.ctx.Err() != nil { // wakeWrite may have come before limitAnswer
			return
		}
		if _, err := fmt.Fprint(w, event); err != nil || answer.Flush() != nil {
			return
		}
		c.reader.ask()
		select {
		case <-changed:
			event = "event: look\ndata: \n\n"
		case <-pulse.C:
			event = ": still here\n\n"
		case <-life.C:
			return
		case <-r.Context().Done():
			return
		case <-c.ctx.Done():
			return
		}
	}
}

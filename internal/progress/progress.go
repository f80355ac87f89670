// Package progress shows the progress of a program on a terminal.
package progress

import (
	"io"
	"time"

	bar "github.com/jedib0t/go-pretty/v6/progress"
)

// Progress is one bar with a message. The zero Progress shows nothing.
type Progress struct {
	writer  bar.Writer
	tracker *bar.Tracker
	ended   chan struct{} // closed after the last line is written
}

// New returns a Progress on w, or the zero Progress if show is false. width is the width of the
// message in columns, for messages that change; 0 fits the first message.
func New(w io.Writer, show bool, message string, width int) Progress {
	if !show {
		return Progress{}
	}
	writer := bar.NewWriter()
	writer.SetOutputWriter(w)
	writer.SetAutoStop(true) // when the tracker is done
	writer.SetTrackerLength(40)
	writer.SetMessageLength(width)
	writer.SetUpdateFrequency(100 * time.Millisecond)
	return Progress{
		writer: writer, ended: make(chan struct{}),
		tracker: &bar.Tracker{Message: message},
	}
}

// Start shows a bar with so many steps.
func (p Progress) Start(steps int) {
	if p.writer == nil {
		return
	}
	p.tracker.Total = int64(steps)
	p.writer.AppendTracker(p.tracker)
	go func() {
		defer close(p.ended)
		p.writer.Render()
	}()
}

// Say changes the message.
func (p Progress) Say(message string) {
	if p.writer != nil {
		p.tracker.UpdateMessage(message)
	}
}

// Step adds one finished step.
func (p Progress) Step() {
	if p.writer != nil {
		p.tracker.Increment(1)
	}
}

// Stop marks the bar as done, or as failed if err is not nil, and returns after the last line is
// written. Call Stop only after [Progress.Start].
func (p Progress) Stop(err error) {
	if p.writer == nil {
		return
	}
	if err != nil {
		p.tracker.MarkAsErrored()
	} else {
		p.tracker.MarkAsDone()
	}
	<-p.ended
}

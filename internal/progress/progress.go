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
	ended   chan struct{} // closed when the last line is written
}

// New returns a [Progress] that writes to w if show is set. width is the width of the message in
// columns, for messages that change; 0 is the width of message.
func New(w io.Writer, show bool, message string, width int) Progress {
	if !show {
		return Progress{}
	}
	writer := bar.NewWriter()
	writer.SetOutputWriter(w)
	writer.SetAutoStop(true) // stop when the tracker is done
	writer.SetTrackerLength(40)
	writer.SetMessageLength(width)
	writer.SetUpdateFrequency(100 * time.Millisecond)
	return Progress{
		writer: writer, ended: make(chan struct{}),
		tracker: &bar.Tracker{Message: message},
	}
}

// Start begins the display of a task of so many steps.
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
func (p Progress) Say(what string) {
	if p.writer != nil {
		p.tracker.UpdateMessage(what)
	}
}

// Step counts one step as done.
func (p Progress) Step() {
	if p.writer != nil {
		p.tracker.Increment(1)
	}
}

// Stop ends the display after [Progress.Start] and returns when the last line is written. err is
// the result of the task.
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

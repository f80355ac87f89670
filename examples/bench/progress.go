package main

import (
	"io"
	"time"

	bar "github.com/jedib0t/go-pretty/v6/progress"
)

// progress shows how far the measurements are. The zero progress shows nothing.
type progress struct {
	writer  bar.Writer
	tracker *bar.Tracker
	ended   chan struct{} // closed when the last line is written
}

// newProgress shows progress on w if show is set.
func newProgress(w io.Writer, show bool) progress {
	if !show {
		return progress{}
	}
	writer := bar.NewWriter()
	writer.SetOutputWriter(w)
	writer.SetAutoStop(true) // when the tracker is done
	writer.SetTrackerLength(40)
	writer.SetMessageLength(50)
	writer.SetUpdateFrequency(100 * time.Millisecond)
	return progress{
		writer: writer, ended: make(chan struct{}),
		tracker: &bar.Tracker{Message: "measuring"},
	}
}

func (p progress) start(measurements int) {
	if p.writer == nil {
		return
	}
	p.tracker.Total = int64(measurements)
	p.writer.AppendTracker(p.tracker)
	go func() {
		defer close(p.ended)
		p.writer.Render()
	}()
}

// say names what is being measured.
func (p progress) say(what string) {
	if p.writer != nil {
		p.tracker.UpdateMessage(what)
	}
}

func (p progress) step() {
	if p.writer != nil {
		p.tracker.Increment(1)
	}
}

// stop ends the display, and returns when its last line is written; err is how the
// run ended. It must follow start.
func (p progress) stop(err error) {
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

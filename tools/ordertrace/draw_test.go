package main

import (
	"strings"
	"testing"
)

// spanOf returns a span as the debug exporter prints it.
func spanOf(id, parent, name, status string) string {
	return "Span #0\n    Trace ID       : 11\n    Parent ID      : " + parent + "\n    ID             : " + id + "\n    Name           : " + name +
		"\n    Start time     : 2026-12-01 11:03:21.9 +0000 UTC\n    End time       : 2026-12-01 11:03:22.47 +0000 UTC\n    Status code    : " + status + "\n"
}

func TestDrawTrace(t *testing.T) {
	t.Parallel()
	var picture strings.Builder
	log := "     -> service.name: Str(rail)\n" + spanOf("b", "a", "call <rail>", "Error") + "     -> service.name: Str(connector)\n" + spanOf("a", "", "order", "Unset")
	if err := drawTrace(&picture, strings.NewReader(log)); err != nil {
		t.Fatal(err)
	}
	order, call := strings.Index(picture.String(), ">order<"), strings.Index(picture.String(), "call &lt;rail&gt;")
	if order < 0 || call < order {
		t.Error("the child is not below its parent", picture.String())
	}
	if strings.Count(picture.String(), `stroke="#b00020"`) != 1 {
		t.Error("one span has failed", picture.String())
	}
	if err := drawTrace(&picture, strings.NewReader(log+spanOf("c", "lost", "orphan", "Unset"))); err == nil {
		t.Error("a span without its parent was left out without an error")
	}
}

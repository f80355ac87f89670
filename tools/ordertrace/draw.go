package main

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
)

// drawnSpan is a span as the Collector's debug exporter prints it.
type drawnSpan struct {
	service, name, id, parent, trace string
	start, end                       time.Time
	failed                           bool
}

// timeLayout is how the debug exporter prints a time.
const timeLayout = "2006-01-02 15:04:05.999999999 -0700 MST"

// readSpans reads the spans out of the output of the debug exporter with verbosity detailed.
func readSpans(in io.Reader) (spans []drawnSpan, err error) {
	var service string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if _, rest, found := strings.Cut(line, "-> service.name: Str("); found {
			service = strings.TrimSuffix(rest, ")")
			continue
		}
		if strings.HasPrefix(line, "Span #") {
			spans = append(spans, drawnSpan{service: service})
			continue
		}
		key, value, found := strings.Cut(line, ":")
		if !found || len(spans) == 0 {
			continue
		}
		s, value := &spans[len(spans)-1], strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Trace ID":
			s.trace = value
		case "Parent ID":
			s.parent = value
		case "ID":
			s.id = value
		case "Name":
			s.name = value
		case "Start time":
			s.start, err = time.Parse(timeLayout, value)
		case "End time":
			s.end, err = time.Parse(timeLayout, value)
		case "Status code":
			s.failed = value == "Error"
		}
		if err != nil {
			return nil, err
		}
	}
	return spans, lines.Err()
}

// sortTree returns the spans below a parent, each before its children, with their depths.
func sortTree(spans []drawnSpan, parent string, depth int) (sorted []drawnSpan, depths []int) {
	var children []drawnSpan
	for _, s := range spans {
		if s.parent == parent {
			children = append(children, s)
		}
	}
	slices.SortFunc(children, func(a, b drawnSpan) int { return a.start.Compare(b.start) })
	for _, s := range children {
		below, belowDepths := sortTree(spans, s.id, depth+1)
		sorted, depths = append(append(sorted, s), below...), append(append(depths, depth), belowDepths...)
	}
	return sorted, depths
}

// Sizes of the picture, in pixels.
const (
	width, left, right, row = 960, 330, 40, 30
	top                     = 70
)

// drawTrace draws the spans of one trace as bars over time.
func drawTrace(out io.Writer, in io.Reader) error {
	all, err := readSpans(in)
	if err != nil {
		return err
	}
	spans, depths := sortTree(all, "", 0)
	if len(spans) == 0 || len(spans) != len(all) {
		return fmt.Errorf("%d of %d spans are below a root", len(spans), len(all))
	}
	begin, whole := spans[0].start, time.Duration(0)
	for _, s := range spans {
		begin = slices.MinFunc([]time.Time{begin, s.start}, time.Time.Compare)
	}
	for _, s := range spans {
		whole = max(whole, s.end.Sub(begin))
	}
	at := func(t time.Time) float64 { return left + float64(t.Sub(begin))/float64(whole)*(width-left-right) }
	height := top + row*len(spans) + 20
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height, width, height)
	fmt.Fprintf(out, `<rect width="100%%" height="100%%" fill="#fff"/><text x="16" y="24" font-size="15" fill="#111">trace %s</text>`+"\n", spans[0].trace)
	for tick := time.Duration(0); tick <= whole; tick += 500 * time.Millisecond {
		x := at(begin.Add(tick))
		fmt.Fprintf(out, `<path d="M%.1f %d V%d" stroke="#ddd"/><text x="%.1f" y="%d" fill="#444" text-anchor="middle">%.1f s</text>`+"\n", x, top-14, height-10, x, top-22, tick.Seconds())
	}
	colours := map[string]string{}
	for i, s := range spans {
		if colours[s.service] == "" {
			colours[s.service] = []string{"#1b6ca8", "#5a9216", "#8d5a97"}[len(colours)%3]
		}
		y := top + i*row
		label := strings.Repeat("\u00a0\u00a0\u00a0\u00a0", depths[i]) + s.name
		fmt.Fprintf(out, `<text x="16" y="%d" fill="#111">%s</text><text x="%d" y="%d" fill="#444" text-anchor="end">%s</text>`+"\n",
			y+15, html.EscapeString(label), left-14, y+15, html.EscapeString(s.service))
		stroke := ""
		if s.failed {
			stroke = ` stroke="#b00020" stroke-width="3"`
		}
		fmt.Fprintf(out, `<rect x="%.1f" y="%d" width="%.1f" height="18" rx="2" fill="%s"%s/>`+"\n", at(s.start), y+2, max(3, at(s.end)-at(s.start)), colours[s.service], stroke)
	}
	_, err = fmt.Fprintln(out, "</svg>")
	return err
}

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A Score counts the outcomes of the mutants of a package.
type Score struct {
	Package    string  `json:"package"`
	Sites      int     `json:"sites"`  // in the code
	Chosen     int     `json:"chosen"` // by the sample and the pattern
	Killed     int     `json:"killed"`
	TimedOut   int     `json:"timed_out"`
	Survived   int     `json:"survived"`
	Equivalent int     `json:"equivalent"` // listed as equivalent, and in no other count
	Broken     int     `json:"does_not_compile"`
	Left       int     `json:"left"` // not yet tried
	Score      float64 `json:"score"`
	Seconds    float64 `json:"seconds"`
}

// A Summary is the final output of a run.
type Summary struct {
	Packages  []Score      `json:"packages"`
	Total     Score        `json:"total"`
	Survivors []Result     `json:"survivors"`
	Stale     []Equivalent `json:"stale"` // entries of the list of equivalents that fit no mutant
	Wrong     []Result     `json:"wrong"` // mutants listed as equivalent that a test noticed
}

func summarizeResults(packages []string, all, chosen []*mutant, equivalent map[Site]bool, results map[Site]Result) *Summary {
	scores := make(map[string]*Score)
	for _, p := range packages {
		scores[p] = &Score{Package: p}
	}
	for _, m := range all {
		scores[m.Package].Sites++
	}
	s := &Summary{Total: Score{Package: "total"}, Survivors: []Result{}, Stale: []Equivalent{}, Wrong: []Result{}}
	for _, m := range chosen {
		r, tried := results[m.Site]
		switch score := scores[m.Package]; {
		case equivalent[m.Site]:
			score.Chosen++
			score.Equivalent++
		case tried:
			score.countResult(r)
		default:
			score.Chosen++
			score.Left++
		}
		switch {
		case !tried:
		case !equivalent[m.Site] && r.Outcome == survived:
			s.Survivors = append(s.Survivors, r)
		case equivalent[m.Site] && (r.Outcome == killed || r.Outcome == timedOut):
			s.Wrong = append(s.Wrong, r)
		}
	}
	for _, p := range packages {
		s.Total.addScore(scores[p])
		scores[p].setKillRate()
		s.Packages = append(s.Packages, *scores[p])
	}
	s.Total.setKillRate()
	return s
}

func (s *Score) countResult(r Result) {
	s.Chosen++
	s.Seconds += r.Seconds
	switch r.Outcome {
	case killed:
		s.Killed++
	case timedOut:
		s.TimedOut++
	case survived:
		s.Survived++
	default:
		s.Broken++
	}
}

func (s *Score) addScore(o *Score) {
	s.Sites += o.Sites
	s.Chosen += o.Chosen
	s.Killed += o.Killed
	s.TimedOut += o.TimedOut
	s.Survived += o.Survived
	s.Equivalent += o.Equivalent
	s.Broken += o.Broken
	s.Left += o.Left
	s.Seconds += o.Seconds
}

// setKillRate sets Score to the share of noticed mutants among those that a test can notice.
func (s *Score) setKillRate() {
	if tried := s.Killed + s.TimedOut + s.Survived; tried > 0 {
		s.Score = float64(s.Killed+s.TimedOut) / float64(tried)
	}
}

func (s *Summary) writeSummary(w io.Writer) {
	for _, e := range s.Stale {
		fmt.Fprintf(w, "listed as equivalent, but not a mutant of the code: %v\n", e.Site)
	}
	for _, r := range s.Wrong {
		fmt.Fprintf(w, "listed as equivalent, but noticed: %v\n", r)
	}
	if len(s.Survivors) > 0 {
		fmt.Fprintf(w, "\nSurvived:\n")
	}
	for _, r := range s.Survivors {
		fmt.Fprintf(w, "  %v\n", r)
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "package\tsites\tchosen\tleft\tkilled\ttimed out\tsurvived\tequivalent\tnot compiled\tscore\tseconds\t")
	for _, p := range append(s.Packages, s.Total) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f %%\t%.0f\t\n", p.Package, p.Sites, p.Chosen, p.Left,
			p.Killed, p.TimedOut, p.Survived, p.Equivalent, p.Broken, 100*p.Score, p.Seconds)
	}
	_ = table.Flush()
}

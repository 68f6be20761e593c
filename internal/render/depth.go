package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/report"
)

// Outcomes as a report has them.
const (
	succeeded = "succeeded"
	stopped   = "stopped"
	noObject  = "no object"
)

// nameless is the layer of what was stopped nobody knows by what.
const nameless = "unknown"

// depth writes how many layers stand before the attacks: a sentence, or where
// the text is verbose a line an attack, those with the fewest layers first.
func (t *text) depth(all []report.Depth) {
	switch {
	case len(all) == 0:
	case t.verbose:
		t.depths(all)
	default:
		t.blank()
		t.para(0, depthSummary(all))
	}
}

func (t *text) depths(all []report.Depth) {
	t.section("What stands before each attack, the fewest layers first")
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b report.Depth) int { return depthRank(a) - depthRank(b) })
	wide := 0
	for _, d := range sorted {
		wide = max(wide, columns(Safe(d.Attack)))
	}
	for _, d := range sorted {
		count, tone := "-", noTone
		switch d.Outcome {
		case stopped:
			count = strconv.Itoa(len(d.Layers))
		case succeeded:
			count, tone = "0", bad
		case noObject:
		default:
			count, tone = "?", doubtful
		}
		name := Safe(d.Attack)
		t.item(2, count, tone, 5, name+strings.Repeat(" ", wide-columns(name))+"  "+depthWords(d))
	}
}

func depthRank(d report.Depth) int {
	switch d.Outcome {
	case succeeded:
		return -2
	case stopped:
		return len(d.Layers)
	case noObject:
		return 1 << 16
	default:
		return -1
	}
}

func depthWords(d report.Depth) string {
	words := Safe(d.Outcome)
	switch d.Outcome {
	case stopped:
		words = "no layer that is known; " + Sentence(strings.Join(d.Notes, "; "))
		if len(d.Layers) > 0 {
			words = safeList(d.Layers)
		}
		if slices.Equal(d.Layers, []string{nameless}) {
			words = "one, and which it is does not show"
		}
	case succeeded:
		words = "nothing: it succeeded"
	case noObject:
		words = "there was nothing to try it on"
	}
	if len(d.Unknown) > 0 {
		words += "; whether " + safeList(d.Unknown) + " stops it too is not known"
	}
	if len(d.Threads) > 0 {
		tids := make([]string, len(d.Threads))
		for i, tid := range d.Threads {
			tids[i] = strconv.Itoa(tid)
		}
		words += "; threads " + shorten(strings.Join(tids, ", "))
	}
	return words
}

func safeList(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = Safe(w)
	}
	return strings.Join(out, ", ")
}

// depthSummary counts the attacks by how many layers stop them.
func depthSummary(all []report.Depth) string {
	by := map[int]int{}
	for _, d := range all {
		by[depthRank(d)]++
	}
	ranks := make([]int, 0, len(by))
	for rank := range by {
		ranks = append(ranks, rank)
	}
	slices.Sort(ranks)
	var parts []string
	for _, rank := range ranks {
		what := "stopped by " + number(rank, "layer", "layers")
		switch {
		case rank == -2:
			what = "succeeded"
		case rank == -1:
			what = "undecided"
		case rank == 0:
			what = "stopped by no layer that is known"
		case rank == 1<<16:
			what = "with nothing to try it on"
		}
		parts = append(parts, fmt.Sprintf("%d %s", by[rank], what))
	}
	return "Depth of defence, of " + number(len(all), "attack", "attacks") + ": " + strings.Join(parts, ", ") + "; -v lists them."
}

// depthDocument is forDocument for what stands before the attacks.
func depthDocument(all []report.Depth) []report.Depth {
	var out []report.Depth
	for _, d := range all {
		d.Attack, d.Outcome = plain(d.Attack), plain(d.Outcome)
		d.Layers = append([]string{}, each(d.Layers, plain)...)
		d.Unknown, d.Notes = each(d.Unknown, plain), each(d.Notes, sentence)
		out = append(out, d)
	}
	return out
}

func each(words []string, escaped func(string) string) []string {
	var out []string
	for _, w := range words {
		out = append(out, escaped(w))
	}
	return out
}

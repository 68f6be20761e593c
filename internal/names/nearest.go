package names

import "strings"

// maxNearest bounds the words that are compared: a name is never longer, and
// what a file holds must not decide how long a comparison takes.
const maxNearest = 64

// Nearest returns the known word that word was most likely meant to be, or ""
// where none is near. Case, dashes and underscores count for nothing, a missing
// prefix (CAP_, RLIMIT_) for little. Of equally near words the first wins.
func Nearest(word string, known []string) string {
	if word == "" || len(word) > maxNearest {
		return ""
	}
	plain := plainWord(word)
	best, bestDistance := "", allowedDistance(plain)+1
	for _, candidate := range known {
		if len(candidate) > maxNearest {
			continue
		}
		if d := wordDistance(plain, plainWord(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// plainWord is word without what people vary when they spell a name.
func plainWord(word string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(strings.ToLower(word))
}

// allowedDistance is how many slips a word of that length may hold.
func allowedDistance(plain string) int {
	switch {
	case len(plain) < 3:
		return 0
	case len(plain) < 6:
		return 1
	default:
		return min(len(plain)/3, 4)
	}
}

// wordDistance is the distance of Damerau and Levenshtein, but that a word which
// lacks only the candidate's beginning, or has one too many, is one slip away,
// and one that abbreviates its end as many as are allowed.
func wordDistance(word, candidate string) int {
	if word == candidate {
		return 0
	}
	if len(word) >= 3 && strings.HasSuffix(candidate, word) || len(candidate) >= 4 && strings.HasSuffix(word, candidate) {
		return 1
	}
	before, above := make([]int, len(candidate)+1), make([]int, len(candidate)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(word) {
		row := make([]int, len(candidate)+1)
		row[0] = i + 1
		for j := range len(candidate) {
			cost := 1
			if word[i] == candidate[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && word[i] == candidate[j-1] && word[i-1] == candidate[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	if shared := sharedPrefix(word, candidate); shared >= 5 && 4*shared >= 3*len(word) {
		return min(above[len(candidate)], allowedDistance(word))
	}
	return above[len(candidate)]
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

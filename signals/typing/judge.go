package typing

import "slices"

// Rates say how well accounts are told apart, as shares.
type Rates struct {
	Accounts, Genuine, Others int
	// Equal is the rate at which as many genuine attempts are refused as others'
	// are accepted; AtOne the share of the genuine accepted where 1 % of others' are.
	Equal, AtOne float64
}

// MinJudged is how few attempts an account has to be judged by: two enrol it.
const MinJudged = 4

// mostJudged bounds the accounts of Judge: each is claimed by all others.
const mostJudged = 300

// Judge measures a table on accounts that it was not learnt from. The first half of
// an account's attempts, ten at most, enrols it; the others are its genuine attempts,
// and those of every other account are others'. Accounts of fewer than MinJudged
// attempts are left out, and those beyond the first 300.
func Judge(t *Table, accounts [][]Summary) (r Rates) {
	accounts = slices.DeleteFunc(slices.Clone(accounts), func(a []Summary) bool { return len(a) < MinJudged })
	accounts = accounts[:min(len(accounts), mostJudged)]
	if len(accounts) < 2 {
		return r
	}
	half := func(a []Summary) int { return min(len(a)/2, 10) }
	tried := make([][]Embedding, len(accounts))
	for u, a := range accounts {
		tried[u] = make([]Embedding, len(a)-half(a))
		for i := range tried[u] {
			t.Embed(&tried[u][i], &a[half(a)+i])
		}
	}
	var genuine, others []float32
	for u, a := range accounts {
		var p Profile
		var e Embedding
		for i := range half(a) {
			t.Embed(&e, &a[i])
			p.Update(&e, uint32(i))
		}
		for v := range tried {
			for i := range tried[v] {
				if s := p.LLR(&tried[v][i]); u == v {
					genuine = append(genuine, s)
				} else {
					others = append(others, s)
				}
			}
		}
	}
	return rated(len(accounts), genuine, others)
}

func rated(accounts int, genuine, others []float32) Rates {
	slices.Sort(genuine)
	slices.Sort(others)
	r := Rates{Accounts: accounts, Genuine: len(genuine), Others: len(others), Equal: 1}
	share := func(i, n int) float64 { return float64(i) / float64(n) }
	for i, threshold := range genuine {
		j, _ := slices.BinarySearch(others, threshold)
		refused, accepted := share(i, len(genuine)), 1-share(j, len(others))
		if refused >= accepted {
			r.Equal = (refused + accepted) / 2
			break
		}
	}
	above := others[len(others)-len(others)/100-1]
	i, _ := slices.BinarySearchFunc(genuine, above, func(s, threshold float32) int {
		if s <= threshold {
			return -1
		}
		return 1
	})
	r.AtOne = 1 - share(i, len(genuine))
	return r
}

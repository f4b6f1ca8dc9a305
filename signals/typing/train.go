package typing

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// MinAccounts is how few accounts, of at least two attempts each, Train learns from.
const MinAccounts = Dims + 2

type matrix [Fields][Fields]float64

// Train learns a Table from attempts grouped by account; that they are one account's
// is the only label. Accounts of one attempt are left out; fewer than MinAccounts are
// an error, 40 serve and 150 are better. The lengths of attempts should be mixed as
// they are where the table serves. It takes about 0.1 s and as much time as it takes
// to read the attempts some 40 times.
func Train(accounts [][]Summary, created time.Time) (*Table, error) {
	accounts = slices.DeleteFunc(slices.Clone(accounts), func(a []Summary) bool { return len(a) < 2 })
	if len(accounts) < MinAccounts {
		return nil, fmt.Errorf("learn typing: %d accounts have two attempts or more, %d are needed", len(accounts), MinAccounts)
	}
	t := &Table{Accounts: len(accounts), Created: created.Truncate(time.Second).UTC()}
	for _, a := range accounts {
		t.Attempts += len(a)
	}
	for f := range Fields {
		m, within, between := components(accounts, func(s *Summary) float64 { return float64(s[f]) })
		if v := within + between; v > 1e-9 {
			t.mean[f], t.inverse[f] = float32(m), float32(1/math.Sqrt(v))
		}
	}
	within, between := t.covariances(accounts)
	for d, a := range directions(within, between)[:Dims] {
		t.learn(d, &a, accounts)
	}
	t.name()
	if !t.tells() {
		return nil, fmt.Errorf("learn typing: nothing differs between %d accounts", len(accounts))
	}
	return t, nil
}

// learn makes dimension d of the combination a of fields. A combination that does
// not vary within accounts says nothing and stays zero.
func (t *Table) learn(d int, a *[Fields]float64, accounts [][]Summary) {
	m, w, b := components(accounts, func(s *Summary) (y float64) {
		for f, z := range t.standardize(s) {
			y += float64(z) * a[f]
		}
		return y
	})
	if w < 1e-9 {
		return
	}
	t.between[d] = codeOf(b / w)
	unit := math.Sqrt(float64(square) * (1 + float64(variances[t.between[d]])) * w)
	for f, x := range a {
		t.project[d/4][f][d%4] = float32(x / unit)
	}
	t.offset[d] = float32(m / unit)
}

// covariances returns those within and between accounts of standardized fields.
func (t *Table) covariances(accounts [][]Summary) (within, between *matrix) {
	within, between = &matrix{}, &matrix{}
	var centre [Fields]float32
	means, n := make([][Fields]float32, len(accounts)), float32(len(accounts))
	free, inverseSize := 0.0, 0.0
	for u, attempts := range accounts {
		size := float32(len(attempts))
		for i := range attempts {
			for f, z := range t.standardize(&attempts[i]) {
				means[u][f] += z / size
				centre[f] += z / size / n
			}
		}
		for i := range attempts {
			within.addOuter(t.standardize(&attempts[i]), &means[u])
		}
		free += float64(size - 1)
		inverseSize += float64(1 / size / n)
	}
	for u := range means {
		between.addOuter(means[u], &centre)
	}
	for i := range within {
		for j := range within {
			within[i][j] /= free
			between[i][j] = between[i][j]/float64(n-1) - within[i][j]*inverseSize
			if i != j {
				within[i][j] /= 2 // halfway to the diagonal: 78 fields from few accounts
			}
		}
		within[i][i] += 1e-3
	}
	return within, between
}

// components splits the variance of f, where it is not NaN, into within and between
// accounts (one-way analysis of variance, by moments).
func components(accounts [][]Summary, f func(*Summary) float64) (centre, within, between float64) {
	var sizes, means []float64
	var weight, free, total, squares float64
	for _, attempts := range accounts {
		n, m, m2 := 0.0, 0.0, 0.0 // Welford
		for i := range attempts {
			if x := f(&attempts[i]); x == x {
				n++
				d := x - m
				m += d / n
				m2 += d * (x - m)
			}
		}
		if n > 0 {
			sizes, means = append(sizes, n), append(means, m)
			within, free = within+m2, free+n-1
			centre, weight = centre+m*math.Sqrt(n), weight+math.Sqrt(n)
			total, squares = total+n, squares+n*n
		}
	}
	centre, within = centre/max(weight, 1), within/max(free, 1)
	for i, n := range sizes {
		between += n * (means[i] - centre) * (means[i] - centre)
	}
	k := max(float64(len(sizes)), 2) - 1
	return centre, within, max((between/k-within)*k/max(total-squares/max(total, 1), 1), within/20)
}

// directions are the best of the generalised symmetric problem b x = lambda w x, best
// first, one a row. It destroys w.
func directions(w, b *matrix) *matrix {
	var identity, projected matrix
	for i := range identity {
		identity[i][i] = 1
	}
	values, whiten := jacobi(w, &identity)
	for i := range whiten {
		for f := range whiten {
			whiten[i][f] /= math.Sqrt(values[i])
		}
		for j := range i + 1 {
			for k, row := range b {
				for f, x := range row {
					projected[i][j] += whiten[i][k] * x * whiten[j][f]
				}
			}
			projected[j][i] = projected[i][j]
		}
	}
	_, out := jacobi(&projected, whiten)
	return out
}

// jacobi gives the eigenvalues of the symmetric a, largest first, and the rows of v
// turned as a's axes are. It destroys both.
func jacobi(a, v *matrix) (values [Fields]float64, vectors *matrix) {
	for range 30 {
		for p := range a {
			for q := p + 1; q < len(a); q++ {
				if math.Abs(a[p][q]) < 1e-14 {
					continue
				}
				theta := (a[q][q] - a[p][p]) / (2 * a[p][q])
				t := math.Copysign(1/(math.Abs(theta)+math.Hypot(theta, 1)), theta)
				c, s := 1/math.Hypot(t, 1), t/math.Hypot(t, 1)
				for k := range a {
					a[k][p], a[k][q] = c*a[k][p]-s*a[k][q], s*a[k][p]+c*a[k][q]
				}
				for k := range a {
					a[p][k], a[q][k] = c*a[p][k]-s*a[q][k], s*a[p][k]+c*a[q][k]
					v[p][k], v[q][k] = c*v[p][k]-s*v[q][k], s*v[p][k]+c*v[q][k]
				}
			}
		}
	}
	var order [Fields]int
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order[:], func(i, j int) int { return cmp.Compare(a[j][j], a[i][i]) })
	vectors = new(matrix)
	for i, o := range order {
		values[i], vectors[i] = a[o][o], v[o]
	}
	return values, vectors
}

func (m *matrix) addOuter(x [Fields]float32, centre *[Fields]float32) {
	for i := range m {
		for j := range m {
			m[i][j] += float64(x[i]-centre[i]) * float64(x[j]-centre[j])
		}
	}
}

package rba

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// streamedUsers is how many users the model's memory is laid out for: its bound is
// 150 records for each, of about 300 bytes.
const streamedUsers = 100_000

// Stream takes the public data set through the experiment, and through a model
// unless it is nil: of what a model can use, the data set has address, place,
// network, user agent and round-trip time. progress, unless nil, is called for
// each row. The study's source tells rows and digest.
func Stream(ctx context.Context, in io.Reader, m *models.Model, progress func()) (*Study, error) {
	c, err := NewReader(in)
	if err != nil {
		return nil, err
	}
	run := NewRun(1)
	look := &told{}
	seen := population.NewObserver(look, signals.MissingAnonymity, streamedUsers)
	users := map[string]int{}
	var p models.Prediction
	for {
		err := c.Read(&look.Record)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if progress != nil {
			progress()
		}
		other := math.NaN()
		if m != nil {
			l := look.labelled(users)
			if row := seen.See(&l); row.Success {
				m.Predict(&p, &row.Vector)
				other = p.LogOdds
			}
		}
		run.See(&look.Login, other)
	}
	s := run.Result()
	s.Source = fmt.Sprintf("the public data set: %d rows (%d successes, %d from attackers' addresses, %d takeovers), %s", c.Rows, c.Successes, c.Attacks, c.Takeovers, c.Digest())
	return s, nil
}

// told is a line of the data set, which also says where its address is: it is the
// locator of its own attempt.
type told struct{ Record }

// Locate implements signals.Locator.
func (t *told) Locate(o *signals.Observation, _ time.Time) {
	o.Missing |= signals.MissingAnonymity
	o.Network.ASN = t.ASN
	country := t.Values[features.FreemanCountry]
	if len(country) == 2 {
		o.Place.Country = signals.Country{country[0], country[1]}
	}
	o.Place.Region, o.Place.City = place(country, t.Region), place(country, t.Region+"/"+t.City)
}

// place numbers a place by its name, 0 for an unknown one.
func place(country, name string) uint32 {
	if name == "" || name == "-" || name == "-/-" {
		return 0
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, country+"/"+name) // a hash takes everything
	return h.Sum32() | 1
}

// labelled tells the line as an attempt.
func (t *told) labelled(users map[string]int) population.Labelled {
	i, known := users[t.User]
	if !known {
		i = len(users)
		users[t.User] = i
	}
	l := population.Labelled{UserIndex: i, Takeover: t.Takeover != "", Fraud: t.Takeover != ""}
	a := &l.Attempt
	a.Subject, a.Time, a.Action = t.User, t.At, signals.Login
	a.Network.IP, a.Headers.UserAgent = t.Values[features.FreemanAddress], t.Values[features.FreemanAgent]
	a.UserPresent = signals.Some(true)
	if t.RTT > 0 {
		a.Network.RTTMS = signals.Some(t.RTT)
	}
	a.Authentication.Method, a.Authentication.Result = signals.Password, signals.Failure
	if t.Success {
		a.Authentication.Result = signals.Success
	}
	return l
}

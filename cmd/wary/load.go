package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/openloop"
)

func loadCommand() *cobra.Command {
	var c client
	var out output
	var rate float64
	var duration time.Duration
	var connections, users int
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Send attempts to a daemon at a fixed rate and show how long answers take",
		Long: "Open loop: every request has its time, and latency counts from that time, sent or not (no coordinated omission).\n" +
			"Ends with 1 if a request was refused or broke. The daemon remembers the attempts: give it only daemons of your own.",
		Example: "  wary load --rate 10000 --duration 30s",
		Args:    needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if rate <= 0 || duration <= 0 || connections <= 0 || users <= 0 {
				return misused(cmd, "--rate, --duration, --connections and --users must be above 0")
			}
			run := strconv.FormatUint(rand.Uint64(), 36)
			bodies := sampleBodies(users)
			// One question before the rush: what is wrong is told once, not a thousand times.
			if _, err := c.post(cmd.Context(), "/v1/evaluate", withID(bodies[0], run, 0)); err != nil {
				return err
			}
			bar := progress(int64(rate*duration.Seconds()), "requests")
			res, err := openloop.Run(cmd.Context(), openloop.Options{
				URL: c.server + "/v1/score", Key: c.key, Rate: rate, Duration: duration, Connections: connections, TLS: c.tls,
				Body:     func(n int) []byte { return withID(bodies[n%len(bodies)], run, n) },
				Progress: func(n int) { _ = bar.Add(n) }, // only a picture
			})
			_ = bar.Close() // only a picture
			if err != nil {
				return err
			}
			return printLoad(cmd.OutOrStdout(), out, res)
		},
	}
	c.flags(cmd)
	out.flag(cmd)
	cmd.Flags().Float64Var(&rate, "rate", 1000, "requests a second")
	cmd.Flags().DurationVar(&duration, "duration", 10*time.Second, "for how long")
	cmd.Flags().IntVar(&connections, "connections", 64, "connections to spread them over")
	cmd.Flags().IntVar(&users, "users", 2000, "simulated users that the attempts come from")
	return cmd
}

// withID gives a body, which begins with {"attempt_id":"", an id of its own.
func withID(body []byte, run string, n int) []byte {
	b := make([]byte, 0, len(body)+24)
	b = append(append(append(b, `{"attempt_id":"`...), run...), '-')
	b = append(strconv.AppendInt(b, int64(n), 10), '"')
	return append(b, body...)
}

func printLoad(w io.Writer, out output, r *openloop.Result) error {
	h := r.Latency
	ms := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	if out == "json" {
		if err := writeJSON(w, map[string]any{
			"sent": r.Sent, "ok": r.OK, "refused": r.Refused, "broken": r.Broken, "seconds": r.Elapsed.Seconds(),
			"p50_ms": ms(50), "p90_ms": ms(90), "p99_ms": ms(99), "p999_ms": ms(99.9), "max_ms": float64(h.Max()) / 1e3,
		}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(w, "sent %d in %.1f s (%.0f/s): %d answered, %d refused, %d broken\n", r.Sent, r.Elapsed.Seconds(),
			float64(r.Sent)/r.Elapsed.Seconds(), r.OK, r.Refused, r.Broken)
		fmt.Fprintf(w, "latency from the scheduled time, ms: p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f\n", ms(50), ms(90), ms(99), ms(99.9), float64(h.Max())/1e3)
	}
	if r.Refused+r.Broken > 0 {
		return errSaid
	}
	return nil
}

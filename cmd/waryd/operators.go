package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/features"
)

// startOperators serves what operators and their machines look at.
func (d *daemon) startOperators() error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", d.readyz)
	mux.HandleFunc("GET /version", d.version)
	mux.HandleFunc("POST /v1/revocations", d.revoke)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		d.gauges.WritePrometheus(w)
		metrics.WritePrometheus(w, true)
	})
	l, err := net.Listen("tcp", d.c.Operators.Listen)
	if err != nil {
		return fmt.Errorf("operators.listen: %w", err)
	}
	d.operators = l.Addr()
	d.ops = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		if err := d.ops.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- err
		}
	}()
	return nil
}

func (d *daemon) readyz(w http.ResponseWriter, _ *http.Request) {
	if !d.ready.Load() {
		http.Error(w, "starting or stopping", http.StatusServiceUnavailable)
		return
	}
	if err := d.engine.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (d *daemon) version(w http.ResponseWriter, _ *http.Request) {
	out := map[string]any{"version": version, "go": runtime.Version(), "schema": features.Digest()}
	if d.ready.Load() {
		p, s := d.engine.Policy(), d.engine.Models()
		out["policy"] = map[string]any{"version": p.Version, "name": p.Name, "digest": p.Digest}
		out["model"] = map[string]any{"version": s.Champion.Version(), "digest": s.Champion.Digest()}
		if s.Challenger != nil {
			out["challenger"] = map[string]any{"version": s.Challenger.Version(), "digest": s.Challenger.Digest()}
		}
		out["geo"] = d.geo.Describe()
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(out) // the client went away
}

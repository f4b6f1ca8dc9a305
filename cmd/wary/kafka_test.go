package main

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"
)

// brokers starts a cluster in this process and puts its addresses into $BROKERS.
func brokers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: brokers")
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	ts.Check(err)
	ts.Defer(c.Close)
	ts.Setenv("BROKERS", strings.Join(c.ListenAddrs(), ","))
}

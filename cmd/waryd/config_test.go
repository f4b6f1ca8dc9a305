package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the generated page anew")

func noEnv(string) string { return "" }

// TestReference fails when docs/configuration.md is stale.
func TestReference(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	want := appendReference(nil)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/configuration.md is stale: run go test ./cmd/waryd -update")
	}
}

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "waryd.yaml")
	if err := os.WriteFile(file, []byte("node: 3\nscore: {listen: 127.0.0.1:1}\njournal: {retain: 48h}\ngeo: {dir: from-file}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"WARY_SCORE_LISTEN": "127.0.0.1:2", "WARY_GEO_DIR": "from-env"}
	c, o, err := load([]string{"-config", file, "-score.listen=127.0.0.1:3", "-check"}, func(k string) string { return env[k] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.Score.Listen != "127.0.0.1:3" || c.Geo.Dir != "from-env" || c.Node != 3 || c.Journal.Retain != 48*time.Hour || c.Log.Level != "info" || !o.check {
		t.Errorf("%+v %+v", c, o)
	}
}

func TestRefused(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		_, _, err := load(args, noEnv, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	f("refused without score.keys", "-score.listen=0.0.0.0:8080")
	f("refused without tls.certificate", "-score.listen=0.0.0.0:8080", "-score.keys=k")
	f("refused without tls.certificate", "-score.listen=:8080", "-score.keys=k")
	f("certificate and key go together", "-tls.certificate=c")
	f("has no credentials", "-operators.listen=0.0.0.0:8081")
	f("neither none nor group", "-journal.sync=always")
	f("is no host:port", "-score.listen=8080")
	f("-node: \"x\" is not a whole number", "-node=x")
	f("such as 30s", "-geo.every=5")
	f("true or false", "-score.tls_ends_in_front=maybe")
	f("is unknown", "-log.level=loud")
	f("neither text nor json", "-log.format=xml")
	f("journal.retain_gib: is negative", "-journal.retain_gib=-1")
	f("needs score.keys", "-tls.client_ca=ca", "-tls.certificate=c", "-tls.key=k")
	f("refused without score.keys", "-score.listen=0.0.0.0:8080", "-tls.client_ca=ca", "-tls.certificate=c", "-tls.key=k")
	f("65535", "-node=65536")
	f("less than a second", "-geo.every=1ms")
	f("unexpected argument", "serve")
	f("flag provided but not defined", "-nonsense")
	f("no such file", "-config=missing.yaml")
	file := filepath.Join(t.TempDir(), "waryd.yaml")
	if err := os.WriteFile(file, []byte("score:\n  lissten: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("lissten", "-config", file)
	if _, _, err := load([]string{"-score.listen=0.0.0.0:8080", "-score.keys=k", "-score.tls_ends_in_front"}, noEnv, io.Discard); err != nil {
		t.Errorf("control: %v", err)
	}
	if _, _, err := load(nil, noEnv, io.Discard); err != nil {
		t.Errorf("control: the defaults: %v", err)
	}
}

// TestEveryDefectIsTold: who mends one thing must not be sent back for the next.
func TestEveryDefectIsTold(t *testing.T) {
	f := func(env map[string]string, args []string, want ...string) {
		t.Helper()
		_, _, err := load(args, func(k string) string { return env[k] }, io.Discard)
		if err == nil {
			t.Fatalf("%v was accepted", args)
		}
		if lines := strings.Split(err.Error(), "\n"); len(lines) != len(want) {
			t.Errorf("%d lines, want %d:\n%v", len(lines), len(want), err)
		}
		for i, line := range strings.Split(err.Error(), "\n") {
			if i < len(want) && !strings.HasPrefix(line, want[i]) {
				t.Errorf("line %d is %q, want %q", i+1, line, want[i])
			}
		}
	}
	f(map[string]string{"WARY_GEO_EVERY": "often"}, []string{"-node=x", "-journal.segment_mib=y"}, "flag -node:", "$WARY_GEO_EVERY:", "flag -journal.segment_mib:")
	f(nil, []string{"-node=-1", "-score.listen=0.0.0.0:1", "-operators.listen=0.0.0.0:2", "-journal.sync=x", "-geo.every=0s", "-log.level=loud"},
		"node:", "score.listen: 0.0.0.0:1 is not loopback: refused without score.keys", "score.listen: 0.0.0.0:1 is not loopback: refused without tls",
		"operators.listen:", "journal.sync:", "geo.every:", "log.level:")
}

func TestHelpAndVersion(t *testing.T) {
	var help bytes.Buffer
	if _, _, err := load([]string{"-h"}, noEnv, &help); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, want := range []string{"-score.listen", "$WARY_SCORE_LISTEN", "-check"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("help does not name %s", want)
		}
	}
	broken := func(k string) string { return map[string]string{"WARY_NODE": "x"}[k] }
	var out bytes.Buffer
	if err := run([]string{"-version"}, broken, &out, io.Discard); err != nil || !strings.HasPrefix(out.String(), "waryd ") {
		t.Errorf("%q, %v: the version needs no configuration", out.String(), err)
	}
}

func TestSecretIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	a, err := readSecret(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := readSecret(dir)
	if err != nil || a != b || a == [32]byte{} {
		t.Errorf("%x, then %x, %v", a, b, err)
	}
	info, err := os.Stat(filepath.Join(dir, "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSecret(dir); err == nil {
		t.Error("a broken secret was accepted")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

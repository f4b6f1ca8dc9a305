package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// build makes the daemon as it is shipped.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "waryd")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// process is a daemon in a process of its own.
type process struct {
	cmd    *exec.Cmd
	score  string // URL
	log    *lines
	exited chan error
}

func spawn(t *testing.T, binary, data string, args ...string) *process {
	t.Helper()
	p := &process{log: &lines{}, exited: make(chan error, 1)}
	p.cmd = exec.Command(binary, append([]string{"-data", data, "-geo.dir", data, "-score.listen=127.0.0.1:0", "-operators.listen=127.0.0.1:0", "-log.format=json"}, args...)...)
	p.cmd.Env = []string{} // no WARY_ settings of this shell
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // most have ended by then
	ready := make(chan string, 1)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(p.log, s.Text())
			var line struct{ Msg, Score string }
			if json.Unmarshal(s.Bytes(), &line) == nil && line.Msg == "ready" {
				ready <- line.Score
			}
		}
		p.exited <- p.cmd.Wait()
	}()
	select {
	case addr := <-ready:
		p.score = "http://" + addr
	case err := <-p.exited:
		t.Fatalf("it ended: %v\n%s", err, p.log)
	case <-time.After(30 * time.Second):
		t.Fatalf("it never became ready:\n%s", p.log)
	}
	return p
}

// end sends a signal and waits for the process to end.
func (p *process) end(t *testing.T, s syscall.Signal) error {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.exited:
		return err
	case <-time.After(30 * time.Second):
		t.Fatalf("%v did not end it:\n%s", s, p.log)
		return nil
	}
}

// acknowledged is an attempt that a client got an answer to.
type acknowledged struct{ attempt, answer, id string }

// hammer scores from several clients at once until the daemon goes away.
func hammer(p *process, round int, c *http.Client) func() []acknowledged {
	const clients = 4
	var all [clients][]acknowledged
	var working sync.WaitGroup
	for i := range clients {
		working.Go(func() {
			for n := 0; ; n++ {
				attempt := login(fmt.Sprintf("kill-%d-%d-%d", round, i, n), fmt.Sprint("user-", n%50), 0)
				status, answer, err := ask(c, "", http.MethodPost, p.score+"/v1/score", attempt)
				if err != nil || status != 200 {
					return
				}
				var v verdict
				if json.Unmarshal([]byte(answer), &v) != nil {
					return
				}
				all[i] = append(all[i], acknowledged{attempt, answer, v.DecisionID})
			}
		})
	}
	return func() (out []acknowledged) {
		working.Wait()
		for _, a := range all {
			out = append(out, a...)
		}
		return out
	}
}

// missing counts the acknowledged decisions that have no receipt, and those
// whose retry is answered otherwise.
func missing(t *testing.T, p *process, c *http.Client, acks []acknowledged) (lost, changed int) {
	t.Helper()
	for _, a := range acks {
		status, _, err := ask(c, "", http.MethodGet, p.score+"/v1/decisions/"+a.id, "")
		if err != nil {
			t.Fatal(err)
		}
		if status != 200 {
			lost++
		}
		_, answer, err := ask(c, "", http.MethodPost, p.score+"/v1/score", a.attempt)
		if err != nil {
			t.Fatal(err)
		}
		if answer != a.answer {
			changed++
		}
	}
	return lost, changed
}

// TestBinary drives the daemon as it is shipped.
func TestBinary(t *testing.T) {
	binary := build(t)
	t.Run("kill", func(t *testing.T) { testKill(t, binary) })
	t.Run("signals", func(t *testing.T) { testSignals(t, binary) })
}

// testKill kills the daemon under load, again and again. What a client has seen
// stands, every time. The control cuts the log's end off and must be noticed.
func testKill(t *testing.T, binary string) {
	const kills = 10
	data := t.TempDir()
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer c.CloseIdleConnections()
	var all []acknowledged
	n := 0
	p := spawn(t, binary, data)
	for round := range kills {
		acks := hammer(p, round, c)
		time.Sleep(time.Duration(30+10*round) * time.Millisecond) // under load for a while
		signal := syscall.SIGKILL
		if round%4 == 3 {
			signal = syscall.SIGTERM // leaves a snapshot for the next rounds to start from
		}
		if err := p.end(t, signal); err != nil && signal == syscall.SIGTERM {
			t.Errorf("SIGTERM under load: %v\n%s", err, p.log)
		}
		got := acks()
		if len(got) == 0 {
			t.Fatalf("round %d: nothing was acknowledged", round)
		}
		p = spawn(t, binary, data)
		if lost, changed := missing(t, p, c, got); lost+changed > 0 {
			t.Fatalf("round %d: of %d acknowledged decisions %d are lost, %d changed", round, len(got), lost, changed)
		}
		for i := 0; i < len(got); i += 4 {
			all = append(all, got[i]) // a sample outlives all later rounds
		}
		n += len(got)
	}
	if lost, changed := missing(t, p, c, all); lost+changed > 0 {
		t.Errorf("at the end: of %d acknowledged decisions %d are lost, %d changed", len(all), lost, changed)
	}
	t.Logf("%d acknowledged decisions, %d ends, none lost", n, kills)

	_ = p.end(t, syscall.SIGKILL)
	p = spawn(t, binary, data)
	got := hammer(p, kills, c)
	time.Sleep(100 * time.Millisecond)
	_ = p.end(t, syscall.SIGKILL)
	acks := got()
	cut(t, data)
	p = spawn(t, binary, data)
	if lost, changed := missing(t, p, c, acks); lost == 0 || changed == 0 {
		t.Errorf("control: a log that was cut lost %d and changed %d of %d", lost, changed, len(acks))
	}
	_ = p.end(t, syscall.SIGKILL)
}

// cut takes some kilobytes off the end of the log.
func cut(t *testing.T, data string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "journal", "*.wal"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	last := files[len(files)-1]
	whole, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(whole, "\x00")) // behind it is room for more
	if err := os.Truncate(last, int64(used-20<<10)); err != nil {
		t.Fatal(err)
	}
}

// testSignals drives the process as an operator does.
func testSignals(t *testing.T, binary string) {
	data := t.TempDir()
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	var out strings.Builder
	if err := os.WriteFile(policy, []byte("nonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := exec.Command(binary, "-data", data, "-policy", policy)
	refused.Stderr, refused.Env = &out, []string{}
	if err := refused.Run(); err == nil || !strings.Contains(out.String(), "nonsense") || strings.Contains(out.String(), "goroutine") {
		t.Errorf("a broken policy at start: %v\n%s", err, out.String())
	}
	p := spawn(t, binary, data)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.log.await(t, "read again", 1)
	c := &http.Client{Transport: &http.Transport{}} // keeps an idle connection open
	defer c.CloseIdleConnections()
	if status, answer, err := ask(c, "", http.MethodPost, p.score+"/v1/score", login("a", "anna", 0)); err != nil || status != 200 {
		t.Errorf("%d %s %v", status, answer, err)
	}
	if err := p.end(t, syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, p.log)
	}
	p.log.await(t, "stopped", 1)
}

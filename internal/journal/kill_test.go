package journal

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The kill test runs this test binary again as a child that appends numbers and
// prints each when it is acknowledged; the parent kills it with SIGKILL.
const (
	killDir   = "WARY_KILL_DIR"
	killFirst = "WARY_KILL_FIRST"
	killEarly = "WARY_KILL_EARLY" // the control: acknowledges before it writes
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		killChild(dir)
	}
	os.Exit(m.Run())
}

func killChild(dir string) {
	first, _ := strconv.Atoi(os.Getenv(killFirst))
	early := os.Getenv(killEarly) != ""
	l, err := Open(dir, Options{SegmentBytes: 1 << 20})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var later []int // of the control: acknowledged, not yet written
	var mu sync.Mutex
	appendNumber := func(n int) {
		if _, err := l.Append(1, time.Now(), fmt.Appendf(nil, "%d%300s", n, "")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	for g := range 4 {
		go func() {
			for n := first + g; ; n += 4 {
				if !early {
					appendNumber(n)
				}
				mu.Lock()
				if early {
					if later = append(later, n); len(later) == 64 {
						for _, n := range later {
							appendNumber(n)
						}
						later = later[:0]
					}
				}
				fmt.Fprintf(os.Stdout, "%d\n", n)
				mu.Unlock()
			}
		}()
	}
	select {}
}

// TestKill kills a writer 200 times: nothing that was acknowledged is lost,
// nothing is there twice. The control, which acknowledges first, loses some.
func TestKill(t *testing.T) {
	lost, doubled, acknowledged := killRounds(t, 200, false)
	t.Logf("kills=200 acknowledged=%d lost=%d doubled=%d", acknowledged, lost, doubled)
	if lost != 0 || doubled != 0 || acknowledged < 200 {
		t.Errorf("of %d acknowledged facts %d are lost and %d doubled", acknowledged, lost, doubled)
	}
	lost, _, acknowledged = killRounds(t, 10, true)
	t.Logf("control: acknowledged=%d lost=%d", acknowledged, lost)
	if lost == 0 {
		t.Error("the control lost nothing: the test cannot see a loss")
	}
}

func killRounds(t *testing.T, rounds int, early bool) (lost, doubled, acknowledged int) {
	dir := filepath.Join(t.TempDir(), "log")
	told := map[string]bool{}
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killDir+"="+dir, killFirst+"="+strconv.Itoa(round*10_000_000))
		if early {
			cmd.Env = append(cmd.Env, killEarly+"=1")
		}
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(out)
		for first := true; in.Scan(); first = false {
			if first {
				time.AfterFunc(time.Duration(5+rand.IntN(35))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			}
			told[in.Text()] = true
		}
		_ = cmd.Wait() // it was killed
	}
	l := mustOpen(t, dir, Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := payloads(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, p := range got {
		var n string
		if _, err := fmt.Sscan(p, &n); err != nil {
			t.Fatal(err)
		}
		seen[n]++
	}
	for n := range told {
		if seen[n] == 0 {
			lost++
		}
	}
	for _, n := range seen {
		if n > 1 {
			doubled++
		}
	}
	return lost, doubled, len(told)
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// childCommand is the first argument of a child. A child answers every line of its
// input with one line, and ends when its input ends: also when its parent dies.
const childCommand = "child"

// process is a child of this one.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// anywhere pins to no core.
const anywhere = -1

// spawn starts this program again as a child on one core with one thread of Go, or
// anywhere with two. Where cores cannot be chosen it runs anywhere.
func spawn(ctx context.Context, core int, args ...string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	threads := 2
	words := append([]string{self, childCommand}, args...)
	if core != anywhere {
		threads = 1
		if pinnable() {
			words = append([]string{"taskset", "-c", strconv.Itoa(core)}, words...)
		}
	}
	p := &process{cmd: exec.CommandContext(ctx, words[0], words[1:]...)}
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(threads))
	p.cmd.Stderr = os.Stderr
	p.cmd.WaitDelay = 5 * time.Second
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, "", err
	}
	first, err := p.line()
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("start %s: %w", strings.Join(args, " "), err), p.end())
	}
	return p, first, nil
}

// pinnable reports whether a server and its client can have a core each.
func pinnable() bool {
	_, err := exec.LookPath("taskset")
	return err == nil && runtime.NumCPU() >= 2
}

func (p *process) line() (string, error) {
	s, err := p.out.ReadString('\n')
	return strings.TrimSpace(s), err
}

// ask sends a line and returns the answer.
func (p *process) ask(format string, args ...any) (string, error) {
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		return "", err
	}
	answer, err := p.line()
	if err == nil && strings.HasPrefix(answer, "error ") {
		err = errors.New(strings.TrimPrefix(answer, "error "))
	}
	return answer, err
}

// number asks for one number.
func (p *process) number(format string, args ...any) (float64, error) {
	answer, err := p.ask(format, args...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(answer, 64)
}

// end ends the child by the end of its input, and waits for it.
func (p *process) end() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// child is what a child does.
func child(args []string) error {
	if len(args) == 0 {
		return errors.New("no child is named")
	}
	switch args[0] {
	case "server":
		return serverChild(args[1:])
	case "caller":
		return callerChild(args[1:])
	case "inside":
		return insideChild(args[1:])
	case "state":
		return stateChild(args[1:])
	case "redis":
		return redisChild(args[1:])
	case "trial":
		return trialChild(args[1:])
	case "walk":
		return walkChild(args[1:])
	}
	return fmt.Errorf("there is no child %q", args[0])
}

// answerLines calls answer for every line of the input and prints what it says.
func answerLines(answer func(words []string) (string, error)) error {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		text, err := answer(strings.Fields(in.Text()))
		if err != nil {
			text = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Println(text)
	}
	return in.Err()
}

// used returns the processor time that this process has used.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// results reads the lines "name value" of a child that measures by itself, until
// it ends. Lines that begin with # are notes.
func (r *run) results(ctx context.Context, core int, args ...string) (map[string]float64, error) {
	p, line, err := spawn(ctx, core, args...)
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for ; err == nil; line, err = p.line() {
		if note, ok := strings.CutPrefix(line, "# "); ok {
			r.note("%s", note)
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return values, errors.Join(fmt.Errorf("%q: %w", line, err), p.end())
		}
		values[name] = v
	}
	return values, p.end()
}

// Command reloader runs a program in a container and replaces it while the container keeps running.
//
//	reloader copy FILE            copies itself, from an image without a shell into a volume
//	reloader run FILE COMMAND…    runs COMMAND; FILE replaces its first word as soon as it is installed
//	reloader install FILE         writes standard input to FILE, and makes `run` start it
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) < 3 {
		fail("usage: reloader copy|run|install FILE [COMMAND…]", nil)
	}
	switch file := os.Args[2]; os.Args[1] {
	case "copy":
		program, err := os.Open("/proc/self/exe")
		if err != nil {
			fail("copy", err)
		}
		write(file, program)
	case "install":
		write(file, os.Stdin)
		reload(file + pidSuffix)
	case "run":
		run(file, os.Args[3:])
	}
}

// pidSuffix is the suffix of the file with the process ID of `reloader run`.
const pidSuffix = ".pid"

// reload makes the process of a file with its ID start the program again.
func reload(pidFile string) {
	var pid int
	text, err := os.ReadFile(pidFile)
	if err == nil {
		pid, err = strconv.Atoi(string(text))
	}
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGHUP)
	}
	if err != nil {
		fail("reload", err)
	}
}

// write replaces a program in one step.
func write(file string, content io.Reader) {
	out, err := os.OpenFile(file+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = io.Copy(out, content)
	}
	if err == nil {
		err = out.Close()
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		fail("write "+file, err)
	}
}

// run starts the program again on SIGHUP, and ends with it on SIGTERM and SIGINT. If the program ends by
// itself, it waits for the next one.
func run(file string, command []string) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	write(file+pidSuffix, strings.NewReader(strconv.Itoa(os.Getpid())))
	ending := false
	for {
		program, exited := start(file, command)
	running:
		for {
			select {
			case state := <-exited:
				if ending {
					os.Exit(state.ExitCode())
				}
				fmt.Fprintf(os.Stderr, "reloader: the program ended (%s), and starts again with the next build\n", state)
				program, exited = nil, nil
			case received := <-signals:
				switch {
				case received != syscall.SIGHUP && program == nil:
					os.Exit(0)
				case received != syscall.SIGHUP:
					ending = true
					_ = program.Signal(received)
				case !ending:
					if program != nil {
						_ = program.Kill()
						<-exited
					}
					break running
				}
			}
		}
	}
}

// start starts the installed program, or the command of the image.
func start(file string, command []string) (*os.Process, <-chan *os.ProcessState) {
	program := exec.Command(command[0], command[1:]...)
	if _, err := os.Stat(file); err == nil {
		program.Path = file
		program.Err = nil
	}
	program.Stdout, program.Stderr = os.Stdout, os.Stderr
	exited := make(chan *os.ProcessState, 1)
	if err := program.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "reloader:", err)
		return nil, nil
	}
	go func() {
		_ = program.Wait()
		exited <- program.ProcessState
	}()
	return program.Process, exited
}

func fail(action string, err error) {
	fmt.Fprintln(os.Stderr, "reloader:", action, err)
	os.Exit(1)
}

// A bad version of an add-on: its image is the add-on's own with this in front, and FAULT says what is wrong with it.
//
//	exit                           it ends at once
//	crash SECONDS                  it serves, and ends after so long, every time
//	leak MEGABYTES                 it serves, and takes so much more memory a second
//	dns WHAT SHARE SECONDS         CoreDNS answers this share of queries by WHAT, after so long: servfail, nxdomain,
//	                               delay (2 s), drop
//	dns unready                    CoreDNS serves, but its readiness is nowhere to be asked for
//	metrics WHAT                   metrics-server answers empty lists, with an error, stale, or unavailable
//	webhook WHAT SECONDS           Gatekeeper answers every review by WHAT, after so long: deny, error, timeout, garbage
//	node NAME exit|flush SECONDS   kube-proxy on one node ends, or its rules go away after so long; elsewhere it is sound
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var began = time.Now()

func main() {
	if err := run(strings.Fields(os.Getenv("FAULT")), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(fault, arguments []string) error {
	switch fault[0] {
	case "crash":
		time.AfterFunc(seconds(fault[1]), func() {
			fmt.Fprintln(os.Stderr, "panic: runtime error: index out of range")
			os.Exit(2)
		})
		return child("/coredns", arguments...)
	case "leak":
		go leak(int(number(fault[1])))
		return child("/coredns", arguments...)
	case "dns":
		return dns(fault[1:], arguments)
	case "metrics":
		return metrics(fault[1])
	case "webhook":
		return webhook(fault[1], seconds(fault[2]))
	case "node":
		return proxy(fault[1:], arguments)
	}
	return fmt.Errorf("error while loading shared libraries")
}

// child runs the real binary to its end; it is told to end when this is.
func child(path string, arguments ...string) error {
	real := exec.Command(path, arguments...)
	real.Stdout, real.Stderr = os.Stdout, os.Stderr
	if err := real.Start(); err != nil {
		return err
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for each := range told {
			real.Process.Signal(each)
		}
	}()
	return real.Wait()
}

func leak(megabytes int) {
	var kept [][]byte
	for range time.Tick(time.Second) {
		more := make([]byte, megabytes<<20)
		for at := 0; at < len(more); at += 4096 {
			more[at] = 1
		}
		kept = append(kept, more)
	}
}

// proxy is kube-proxy: it breaks on the node of this name alone.
func proxy(fault, arguments []string) error {
	if fault[0] == os.Getenv("NODE_NAME") {
		if fault[1] == "exit" {
			return fmt.Errorf("unknown kernel: cannot program rules")
		}
		time.AfterFunc(seconds(fault[2]), flush)
	}
	return child("/usr/sbin/kube-proxy", arguments...)
}

func flush() {
	for range time.Tick(300 * time.Millisecond) {
		exec.Command("/usr/sbin/iptables", "-w", "-t", "nat", "-F", "KUBE-SERVICES").Run()
	}
}

func seconds(text string) time.Duration {
	return time.Duration(number(text) * float64(time.Second))
}

func number(text string) float64 {
	found, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return found
}

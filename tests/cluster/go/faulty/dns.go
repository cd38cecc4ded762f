package main

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"
)

const (
	behind   = "127.0.0.1:5353"
	servfail = 2
	nxdomain = 3
)

type answer func(query []byte) []byte

// dns puts itself before a CoreDNS that serves the same Corefile at another port.
func dns(fault, arguments []string) error {
	corefile, err := os.ReadFile(arguments[len(arguments)-1])
	if err != nil {
		return err
	}
	text := strings.Replace(string(corefile), ".:53 ", ".:5353 ", 1)
	answers := answer(ask)
	if fault[0] == "unready" {
		text = strings.Replace(text, "\n    ready\n", "\n", 1)
	} else {
		answers = faulty(fault[0], number(fault[1]), seconds(fault[2]))
	}
	if err := os.WriteFile("/tmp/Corefile", []byte(text), 0o644); err != nil {
		return err
	}
	udp, err := net.ListenPacket("udp", ":53")
	if err != nil {
		return err
	}
	tcp, err := net.Listen("tcp", ":53")
	if err != nil {
		return err
	}
	go datagrams(udp, answers)
	go connections(tcp, answers)
	return child("/coredns", "-conf", "/tmp/Corefile")
}

// faulty answers a share of queries by `what`, once this version has run for so long.
func faulty(what string, share float64, after time.Duration) answer {
	return func(query []byte) []byte {
		if time.Since(began) < after || rand.Float64() >= share {
			return ask(query)
		}
		switch what {
		case "servfail":
			return refused(query, servfail)
		case "nxdomain":
			return refused(query, nxdomain)
		case "delay":
			time.Sleep(2 * time.Second)
			return ask(query)
		}
		return nil
	}
}

// refused is the query as its own answer, with a code and nothing found.
func refused(query []byte, code byte) []byte {
	said := append([]byte{}, query...)
	said[2] |= 0x80
	said[3] = 0x80 | code
	return said
}

func ask(query []byte) []byte {
	line, err := net.Dial("udp", behind)
	if err != nil {
		return nil
	}
	defer line.Close()
	line.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := line.Write(query); err != nil {
		return nil
	}
	said := make([]byte, 4096)
	size, err := line.Read(said)
	if err != nil {
		return nil
	}
	return said[:size]
}

func datagrams(from net.PacketConn, answers answer) {
	buffer := make([]byte, 4096)
	for {
		size, who, err := from.ReadFrom(buffer)
		if err != nil {
			return
		}
		query := append([]byte{}, buffer[:size]...)
		go func() {
			if said := answers(query); said != nil {
				from.WriteTo(said, who)
			}
		}()
	}
}

func connections(from net.Listener, answers answer) {
	for {
		line, err := from.Accept()
		if err != nil {
			return
		}
		go stream(line, answers)
	}
}

func stream(line net.Conn, answers answer) {
	defer line.Close()
	for {
		var size uint16
		if binary.Read(line, binary.BigEndian, &size) != nil {
			return
		}
		query := make([]byte, size)
		if _, err := io.ReadFull(line, query); err != nil {
			return
		}
		if said := answers(query); said != nil {
			line.Write(binary.BigEndian.AppendUint16(nil, uint16(len(said))))
			line.Write(said)
		}
	}
}

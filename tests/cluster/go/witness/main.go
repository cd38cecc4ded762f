// A workload that shows what it depends on.
//
//	witness sleep               runs until it is told to end
//	witness resolve NAME        asks the pod's DNS server for NAME once; a readiness probe
//	witness convert CERT KEY    answers conversion reviews of custom resources on :9443
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type object = map[string]any

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(words []string) error {
	switch {
	case len(words) == 1 && words[0] == "sleep":
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
		<-told
		return nil
	case len(words) == 2 && words[0] == "resolve":
		return resolve(words[1])
	case len(words) == 3 && words[0] == "convert":
		return http.ListenAndServeTLS(":9443", words[1], words[2], http.HandlerFunc(convert))
	}
	return fmt.Errorf("usage: witness sleep | resolve NAME | convert CERT KEY")
}

func resolve(name string) error {
	patience, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
	defer cancel()
	_, err := (&net.Resolver{PreferGo: true}).LookupHost(patience, name)
	return err
}

func convert(answer http.ResponseWriter, asked *http.Request) {
	review := object{}
	if err := json.NewDecoder(asked.Body).Decode(&review); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	request, _ := review["request"].(object)
	listed, _ := request["objects"].([]any)
	for _, each := range listed {
		each.(object)["apiVersion"] = request["desiredAPIVersion"]
	}
	review["response"] = object{
		"uid": request["uid"], "convertedObjects": listed, "result": object{"status": "Success"},
	}
	delete(review, "request")
	answer.Header().Set("Content-Type", "application/json")
	json.NewEncoder(answer).Encode(review)
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

type object = map[string]any

const group, version = "metrics.k8s.io", "metrics.k8s.io/v1beta1"

func answerWith(to http.ResponseWriter, code int, document object) {
	to.Header().Set("Content-Type", "application/json")
	to.WriteHeader(code)
	json.NewEncoder(to).Encode(document)
}

func failed(to http.ResponseWriter, code int, reason string) {
	answerWith(to, code, object{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": reason,
	})
}

// metrics is a metrics-server that is healthy, and of whose answers none is right.
func metrics(what string) error {
	http.HandleFunc("/readyz", well)
	http.HandleFunc("/livez", well)
	http.HandleFunc("/apis/"+version, func(to http.ResponseWriter, _ *http.Request) {
		if what == "unavailable" {
			failed(to, http.StatusServiceUnavailable, "ServiceUnavailable")
			return
		}
		answerWith(to, http.StatusOK, object{
			"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
			"resources": []object{
				{"name": "nodes", "singularName": "", "namespaced": false, "kind": "NodeMetrics", "verbs": []string{"get", "list"}},
				{"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": []string{"get", "list"}},
			},
		})
	})
	http.HandleFunc("/apis/"+version+"/", func(to http.ResponseWriter, asked *http.Request) {
		measured(to, what, strings.TrimPrefix(asked.URL.Path, "/apis/"+version+"/nodes"))
	})
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	server := http.Server{Addr: ":10250", TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	return server.ListenAndServeTLS("", "")
}

func measured(to http.ResponseWriter, what, node string) {
	old := object{
		"kind": "NodeMetrics", "apiVersion": version, "metadata": object{"name": "node-0"}, "window": "15s",
		"timestamp": began.Add(-time.Hour).UTC().Format(time.RFC3339), "usage": object{"cpu": "1", "memory": "1Gi"},
	}
	list := object{"kind": "NodeMetricsList", "apiVersion": version, "metadata": object{}, "items": []object{}}
	switch {
	case what == "error":
		failed(to, http.StatusInternalServerError, "InternalError")
	case what == "unavailable":
		failed(to, http.StatusServiceUnavailable, "ServiceUnavailable")
	case what == "stale" && node == "":
		list["items"] = []object{old}
		answerWith(to, http.StatusOK, list)
	case what == "stale":
		answerWith(to, http.StatusOK, old)
	case node == "":
		answerWith(to, http.StatusOK, list)
	default:
		failed(to, http.StatusNotFound, "NotFound")
	}
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	about := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: began.Add(-time.Hour), NotAfter: began.Add(24 * time.Hour),
	}
	made, err := x509.CreateCertificate(rand.Reader, &about, &about, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}, err
}

// webhook is a Gatekeeper that is healthy, and judges by `what` once it has run for so long.
func webhook(what string, after time.Duration) error {
	health := http.NewServeMux()
	health.HandleFunc("/", well)
	go http.ListenAndServe(":9090", health)
	http.HandleFunc("/convert", func(to http.ResponseWriter, _ *http.Request) {
		http.Error(to, "cannot convert", http.StatusInternalServerError)
	})
	http.HandleFunc("/", func(to http.ResponseWriter, asked *http.Request) {
		if time.Since(began) < after {
			judged(to, asked, true)
			return
		}
		switch what {
		case "error":
			http.Error(to, "panic: nil pointer", http.StatusInternalServerError)
		case "timeout":
			time.Sleep(time.Minute)
		case "garbage":
			fmt.Fprint(to, "{}")
		default:
			judged(to, asked, what == "allow")
		}
	})
	return http.ListenAndServeTLS(":8443", "/certs/tls.crt", "/certs/tls.key", nil)
}

func judged(to http.ResponseWriter, asked *http.Request, allowed bool) {
	review := object{}
	if err := json.NewDecoder(asked.Body).Decode(&review); err != nil {
		http.Error(to, err.Error(), http.StatusBadRequest)
		return
	}
	request, _ := review["request"].(object)
	review["response"] = object{
		"uid": request["uid"], "allowed": allowed, "status": object{"message": "denied by the new version", "code": 403},
	}
	delete(review, "request")
	answerWith(to, http.StatusOK, review)
}

func well(to http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(to, "ok")
}

// Command hello is a service as small as one can be: no metrics, no JSON logs, no Dockerfile.
package main

import (
	"log"
	"net/http"
)

var version = "dev"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", version)
		if r.URL.Path == "/fail" {
			log.Print("failed: ", r.URL.Path)
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte("hello\n"))
	})
	log.Fatal(http.ListenAndServe(":9000", nil))
}

// Command reader responds with its secrets: a file, which it reads for each request, and a variable.
package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		value, err := os.ReadFile("/run/secrets/reader/password")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(value)
	})
	http.HandleFunc("/session", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(os.Getenv("SESSION")))
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}

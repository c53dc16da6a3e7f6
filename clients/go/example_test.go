package signoff_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	signoff "forge.example/signoff/signoff/clients/go"
)

const exampleID = "0198c0de-0000-7000-8000-000000000000"

// exampleServer answers as Signoff does for one intent that Ann rejected.
func exampleServer() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/events/stream"):
			w.Header().Set("Content-Type", "text/event-stream")
			for seq, status := range []string{"CREATED", "WAITING", "FAILED"} {
				_, _ = fmt.Fprintf(w, "event: intent.%s\ndata: {\"seq\": %d, \"event_type\": \"intent.%s\", \"status\": %q}\n\n",
					strings.ToLower(status), seq+1, strings.ToLower(status), status)
			}
		case strings.HasPrefix(r.URL.Path, "/v1/tasks/"):
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"ok": false, "error": {"code": "already_decided", "message": "Ann rejected it."}}`)
		default:
			_, _ = io.WriteString(w, `{"ok": true, "intent_id": "`+exampleID+`", "intent": {"intent_id": "`+exampleID+`",
				"status": "FAILED", "ending": "rejected", "comment": "Not on a Friday.",
				"error": {"code": "human_rejected", "message": "Not on a Friday."}}}`)
		}
	}))
}

func Example() {
	server := exampleServer() // yours: signoff up
	defer server.Close()
	ctx := context.Background()

	client, err := signoff.New(signoff.WithURL(server.URL), signoff.WithAPIKey("key"))
	if err != nil {
		log.Fatal(err)
	}
	id, err := client.SendIntent(ctx, signoff.IntentRequest{
		IntentType: "intent.infra.change_approval.v1",
		Payload:    map[string]any{"migration": "add_index_users_email"},
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := client.WaitFor(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	var rejected *signoff.RejectedError
	if errors.As(result.Err(), &rejected) {
		fmt.Println("rejected:", result.Comment)
	}
	// Output: rejected: Not on a Friday.
}

func ExampleClient_Observe() {
	server := exampleServer()
	defer server.Close()
	client, err := signoff.New(signoff.WithURL(server.URL), signoff.WithAPIKey("key"))
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range client.Observe(context.Background(), exampleID, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Seq, event.Status)
	}
	// Output:
	// 1 CREATED
	// 2 WAITING
	// 3 FAILED
}

func ExampleClient_Approve() {
	server := exampleServer()
	defer server.Close()
	client, err := signoff.New(signoff.WithURL(server.URL), signoff.WithAPIKey("key"))
	if err != nil {
		log.Fatal(err)
	}
	task := signoff.Task{TaskID: "0198c0de-0000-7000-8000-000000000002", Stage: 1, Revision: 1, Digest: "sha256:..."}
	_, err = client.Approve(context.Background(), task, "Looks right.")
	if errors.Is(err, signoff.ErrAlreadyDecided) {
		fmt.Println("too late:", err)
	}
	// Output: too late: Ann rejected it. [already_decided]
}

func ExampleAgent() {
	server := exampleServer()
	defer server.Close()
	agent, err := signoff.NewAgent("infra-validator",
		signoff.WithClientOptions(signoff.WithURL(server.URL), signoff.WithAPIKey("key")), signoff.WithConcurrency(8))
	if err != nil {
		log.Fatal(err)
	}
	validate := func(ctx context.Context, d *signoff.Delivery) (any, error) {
		if d.Payload["migration"] == nil {
			return nil, &signoff.StepFailedError{Code: "no_migration", Message: "There is nothing to check."}
		}
		return map[string]any{"risk": "low"}, nil
	}
	agent.Handle("intent.infra.change_approval.v1", validate)
	// agent.Run(ctx) works until ctx ends. A handler is an ordinary function; a test calls it:
	result, err := validate(context.Background(), &signoff.Delivery{Payload: signoff.Object{"migration": "add_index"}})
	fmt.Println(result, err)
	// Output: map[risk:low] <nil>
}

// Command oapi sends a payload and reads the decision with the client that oapi-codegen makes.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"signoff.example/generated/oapi/client"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	key := func(_ context.Context, request *http.Request) error {
		request.Header.Set("x-api-key", os.Getenv("SIGNOFF_API_KEY"))
		return nil
	}
	server, err := client.NewClientWithResponses(os.Getenv("SIGNOFF_URL"), client.WithRequestEditorFn(key))
	if err != nil {
		log.Fatal(err)
	}
	sent, err := server.CreateIntentWithResponse(ctx, nil, client.CreateIntentRequest{
		IntentType: "intent.db.migrate.v1",
		Payload:    &map[string]any{"generator": "oapi-codegen", "nested": map[string]any{"to_version": 42}},
		HumanTask:  &map[string]any{"title": "Migrate users?", "assignees": []string{"ann@example.test"}},
	})
	if err != nil || sent.JSON200 == nil {
		log.Fatal("not sent: ", err)
	}
	for {
		found, err := server.GetIntentWithResponse(ctx, sent.JSON200.IntentId)
		if err != nil {
			log.Fatal(err)
		}
		if intent := found.JSON200.Intent; intent.Status == "COMPLETED" {
			if intent.Outcome == nil || *intent.Outcome != "approved" {
				log.Fatal("decided: ", intent.Outcome)
			}
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	missing, err := server.GetIntentWithResponse(ctx, "nothing")
	if err != nil || missing.JSON404 == nil || missing.JSON404.Error.Code != "not_found" {
		log.Fatal("the error is not typed: ", err)
	}
}

// Command ogen sends a payload and reads the decision with the client that ogen makes.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"github.com/go-faster/jx"

	"signoff.example/generated/ogen/client"
)

type keys struct{}

func (keys) Key(context.Context, client.OperationName) (client.Key, error) {
	return client.Key{APIKey: os.Getenv("SIGNOFF_API_KEY")}, nil
}

func (keys) Bearer(context.Context, client.OperationName) (client.Bearer, error) {
	return client.Bearer{Token: os.Getenv("SIGNOFF_API_KEY")}, nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	server, err := client.NewClient(os.Getenv("SIGNOFF_URL"), keys{})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := server.CreateIntent(ctx, &client.CreateIntentRequest{
		IntentType: "intent.db.migrate.v1",
		Payload: client.NewOptCreateIntentRequestPayload(client.CreateIntentRequestPayload{
			"generator": jx.Raw(`"ogen"`), "nested": jx.Raw(`{"to_version": 42}`),
		}),
		HumanTask: client.NewOptNilCreateIntentRequestHumanTask(client.CreateIntentRequestHumanTask{
			"title": jx.Raw(`"Migrate users?"`), "assignees": jx.Raw(`["ann@example.test"]`),
		}),
	}, client.CreateIntentParams{})
	if err != nil {
		log.Fatal(err)
	}
	sent, ok := answer.(*client.CreatedOut)
	if !ok {
		log.Fatalf("not sent: %T", answer)
	}
	for {
		answer, err := server.GetIntent(ctx, client.GetIntentParams{IntentID: sent.IntentID})
		if err != nil {
			log.Fatal(err)
		}
		found, ok := answer.(*client.IntentResponse)
		if !ok {
			log.Fatalf("not found: %T", answer)
		}
		if found.Intent.Status == client.IntentOutStatusCOMPLETED {
			if found.Intent.Outcome.Value != "approved" {
				log.Fatal("decided: ", found.Intent.Outcome.Value)
			}
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	missing, err := server.GetIntent(ctx, client.GetIntentParams{IntentID: "nothing"})
	if refused, ok := missing.(*client.GetIntentNotFound); err != nil || !ok || refused.Error.Code != "not_found" {
		log.Fatalf("the error is not typed: %T %v", missing, err)
	}
}

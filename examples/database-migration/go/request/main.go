// The requester: asks for a migration and waits until it ends, for days if necessary. Run it with: go run ./request
package main

import (
	"context"
	"fmt"
	"log"

	signoff "forge.example/signoff/signoff/clients/go"
)

func main() {
	ctx := context.Background()
	client, err := signoff.New()
	if err != nil {
		log.Fatal(err)
	}
	id, err := client.SendIntent(ctx, signoff.IntentRequest{
		IntentType: "intent.infra.change_approval.v1",
		ToAgent:    "agent://myorg/production/infra-validator",
		Payload: map[string]any{
			"change_type": "database_migration",
			"target":      "prod-postgres-main",
			"migration":   "add_index_users_email",
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("sent %s, waiting\n", id)
	result, err := client.WaitFor(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	if err := result.Err(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Status, result.Result)
}

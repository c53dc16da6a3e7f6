// The validator: checks a proposed change before a person is asked. Run it with: go run ./agent
package main

import (
	"context"
	"fmt"
	"log"
	"os/signal"
	"strings"
	"syscall"

	signoff "forge.example/signoff/signoff/clients/go"
)

var locksTheTable = []string{"add_column_not_null", "change_type", "drop_column"}

type change struct {
	ChangeType string `json:"change_type"`
	Target     string `json:"target"`
	Migration  string `json:"migration"`
}

// validate says what would happen, and refuses what must not. What it returns is shown to the person who decides.
func validate(_ context.Context, delivery *signoff.Delivery) (any, error) {
	var asked change
	if err := delivery.Payload.Decode(&asked); err != nil {
		return nil, &signoff.StepFailedError{Code: "malformed_change", Message: err.Error()}
	}
	if asked.ChangeType != "database_migration" {
		message := fmt.Sprintf("I cannot judge a %q.", asked.ChangeType)
		return nil, &signoff.StepFailedError{Code: "unknown_change", Message: message}
	}
	locks, risk := false, "low"
	for _, word := range locksTheTable {
		if strings.Contains(asked.Migration, word) {
			locks, risk = true, "high"
		}
	}
	return map[string]any{
		"checked":     asked.Migration,
		"target":      asked.Target,
		"locks_table": locks,
		"reversible":  !strings.HasPrefix(asked.Migration, "drop"),
		"risk":        risk,
	}, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	agent, err := signoff.NewAgent("agent://myorg/production/infra-validator")
	if err != nil {
		log.Fatal(err)
	}
	agent.Handle("intent.infra.change_approval.v1", validate)
	if err := agent.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

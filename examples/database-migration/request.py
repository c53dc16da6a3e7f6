"""The requester: asks for a migration and waits until it ends, for days if necessary. Run it with: python request.py"""

from signoff import Client

INTENT = {
    "intent_type": "intent.infra.change_approval.v1",
    "to_agent": "agent://myorg/production/infra-validator",
    "payload": {
        "change_type": "database_migration",
        "target": "prod-postgres-main",
        "migration": "add_index_users_email",
    },
}

if __name__ == "__main__":
    client = Client()
    intent_id = client.send_intent(INTENT)
    print(f"sent {intent_id}, waiting")
    result = client.wait_for(intent_id)
    print(result["status"], result.result)

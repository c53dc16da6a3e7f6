/** The requester: asks for a migration and waits until it ends, for days if necessary. Run it with: node request.ts */
import { Client } from "@signoff/client";

const client = new Client();
const intentId = await client.sendIntent({
  intent_type: "intent.infra.change_approval.v1",
  to_agent: "agent://myorg/production/infra-validator",
  payload: { change_type: "database_migration", target: "prod-postgres-main", migration: "add_index_users_email" },
});
console.log(`sent ${intentId}, waiting`);
const result = await client.waitFor(intentId);
console.log(result.status, result.result);

// The client that @hey-api/openapi-ts makes: sends a payload, reads the decision.
import { createIntent, getIntent } from "./build/hey-api/index.js";
import { createClient } from "./build/hey-api/client/index.js";
import { asked, settings, until } from "./common.js";

const client = createClient({ baseUrl: settings.url, auth: settings.key });
const sent = await createIntent({ client, body: asked("hey-api"), throwOnError: true });
await until(async () => {
  const { data } = await getIntent({ client, path: { intent_id: sent.data.intent_id }, throwOnError: true });
  return data.intent.status === "COMPLETED" ? data.intent.outcome : undefined;
});
const missing = await getIntent({ client, path: { intent_id: "nothing" } });
if (missing.error?.error.code !== "not_found") throw new Error("the error is not typed");

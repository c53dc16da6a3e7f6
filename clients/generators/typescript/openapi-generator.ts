// The client that openapi-generator makes (typescript-fetch): sends a payload, reads the decision.
import { Configuration, IntentsApi } from "./build/openapi-generator/index.js";
import { asked, settings, until } from "./common.js";

const intents = new IntentsApi(new Configuration({ basePath: settings.url, apiKey: settings.key }));
const { intent_type, payload, human_task } = asked("openapi-generator");
const sent = await intents.createIntent({
  createIntentRequest: { intentType: intent_type, payload, humanTask: human_task },
});
await until(async () => {
  const { intent } = await intents.getIntent({ intentId: sent.intentId });
  return intent.status === "COMPLETED" ? intent.outcome : undefined;
});

// The types that openapi-typescript makes, with openapi-fetch: sends a payload, reads the decision.
import createClient from "openapi-fetch";
import type { paths } from "./build/openapi-typescript.js";
import { asked, settings, until } from "./common.js";

const client = createClient<paths>({ baseUrl: settings.url, headers: { "x-api-key": settings.key } });
const { data: sent } = await client.POST("/v1/intents", { body: asked("openapi-typescript") });
const intent_id = sent!.intent_id;
await until(async () => {
  const { data } = await client.GET("/v1/intents/{intent_id}", { params: { path: { intent_id } } });
  return data!.intent.status === "COMPLETED" ? data!.intent.outcome : undefined;
});
const missing = await client.GET("/v1/intents/{intent_id}", { params: { path: { intent_id: "nothing" } } });
if (missing.error?.error.code !== "not_found") throw new Error("the error is not typed");

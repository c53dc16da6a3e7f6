/** The server's address and the key: the first found in options, environment, credentials files. */
import { credentialsFiles, environment, readText } from "#platform";
import { isObject, NotConfigured, parsed } from "./errors.js";

/** The server that requests are sent to, and the key. */
export interface Settings {
  /** Without a trailing slash. */
  readonly url: string;
  readonly apiKey: string;
}

/** The settings to use; throws NotConfigured naming every place that was searched. */
export function findSettings(url?: string, apiKey?: string): Settings {
  for (const [name, given] of [["url", url], ["apiKey", apiKey]] as const) {
    // Never use a server or key other than the intended one.
    if (given !== undefined && !given.trim()) throw new NotConfigured(`The option ${name} is empty. Give it a value, or omit it.`);
  }
  const key = apiKey ?? keyFromEnvironment();
  const named = url ?? environment("SIGNOFF_URL");
  const address = named ? checkedUrl(named, url === undefined ? "SIGNOFF_URL" : "the option url") : undefined;
  if (address && key) return hidden(address, checkedKey(key));
  const looked: string[] = [];
  for (const file of credentialsFiles()) {
    if (file.text === undefined) {
      looked.push(`${file.path}: ${file.why}`);
      continue;
    }
    const stored = credentials(file.path, file.text);
    // A key from a file is only sent to the address in the same file.
    if (address && !sameServer(address, stored.url)) continue;
    return key ? hidden(stored.url, checkedKey(key)) : stored;
  }
  throw new NotConfigured(explained(address, key !== undefined, looked));
}

/** Settings whose key does not appear when they are printed or converted to JSON. */
function hidden(url: string, apiKey: string): Settings {
  return Object.defineProperty({ url }, "apiKey", { value: apiKey, enumerable: false }) as Settings;
}

function keyFromEnvironment(): string | undefined {
  const key = environment("SIGNOFF_API_KEY");
  if (key) return key;
  const path = environment("SIGNOFF_API_KEY_FILE");
  if (!path) return undefined;
  let text: string;
  try {
    text = readText(path).trim();
  } catch {
    throw new NotConfigured(`SIGNOFF_API_KEY_FILE names ${JSON.stringify(path)}, which cannot be read.`);
  }
  if (!text) throw new NotConfigured(`SIGNOFF_API_KEY_FILE names ${JSON.stringify(path)}, which contains no key.`);
  return text;
}

function credentials(path: string, text: string): Settings {
  const found = parsed(text);
  if (!isObject(found) || typeof found["url"] !== "string" || typeof found["api_key"] !== "string") {
    throw new NotConfigured(
      `${path} is not a credentials file: it must be a JSON object with url and api_key. ` +
        "Delete it and run `signoff up` again, or set SIGNOFF_URL and SIGNOFF_API_KEY.",
    );
  }
  return hidden(checkedUrl(found["url"], path), checkedKey(found["api_key"]));
}

function checkedUrl(given: string, source: string): string {
  const url = given.trim().replace(/\/+$/, "");
  let parts: URL | undefined;
  try {
    parts = new URL(url);
  } catch {
    parts = undefined;
  }
  if (parts && (parts.username || parts.password)) {
    throw new NotConfigured(`The address in ${source} contains a user name, which messages would show: remove it.`);
  }
  const sound = parts && ["http:", "https:"].includes(parts.protocol) && !/[\s?#\p{C}]/u.test(url) && parts.port !== "0";
  if (!sound) {
    // A text with an @ may contain a password; a key may have been passed in its place.
    const shown = url.includes("@") || url.includes("sgn_") ? `The address in ${source}` : `${JSON.stringify(url)} (${source})`;
    throw new NotConfigured(`${shown} is not a URL such as http://127.0.0.1:8100.`);
  }
  return url;
}

function checkedKey(given: string): string {
  const key = given.trim();
  if (!/^[!-~]+$/.test(key)) throw new NotConfigured("The API key contains invalid characters; copy it again.");
  return key;
}

/** Whether the server runs on this machine. */
export function isLoopback(url: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(new URL(url).hostname);
}

function sameServer(left: string, right: string): boolean {
  const [a, b] = [origin(left), origin(right)];
  return a === b;
}

function origin(url: string): string {
  const parts = new URL(url);
  const port = parts.port || (parts.protocol === "https:" ? "443" : "80");
  const host = parts.hostname === "localhost" ? "127.0.0.1" : parts.hostname;
  return `${parts.protocol}//${host}:${port}${parts.pathname.replace(/\/+$/, "")}`;
}

function explained(address: string | undefined, hasKey: boolean, looked: readonly string[]): string {
  const first = address
    ? `There is no API key for ${address}.`
    : `No Signoff server was found${hasKey ? ", though there is an API key." : "."}`;
  const wanted = address ? "the option apiKey, SIGNOFF_API_KEY, SIGNOFF_API_KEY_FILE" : "the option url, SIGNOFF_URL";
  const remedy = address
    ? "Pass apiKey, or set SIGNOFF_API_KEY; `signoff keys create` on the server creates one."
    : "Start one with `signoff up` in this folder, or set SIGNOFF_URL and SIGNOFF_API_KEY.";
  return `${first} Searched:\n${[`${wanted}: not set`, ...looked].map((line) => `  - ${line}`).join("\n")}\n${remedy}`;
}

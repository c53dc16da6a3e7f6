/**
 * Makes the folder that is published, build/package: the compiled client with README, changelog and licence, and a
 * package.json with the address of the repository, which stands in pyproject.toml and nowhere else.
 *
 *     node pack.mjs           then: npm publish ./build/package
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const target = join(here, "build/package");
const project = readFileSync(join(root, "pyproject.toml"), "utf8");

function address(name) {
  const found = new RegExp(`^${name} = "(https://[^"]+)"$`, "m").exec(project);
  if (!found) throw new Error(`pyproject.toml has no address called ${name}`);
  return found[1];
}

/** Links that work in the repository, as they have to be outside of it. */
function withAbsoluteLinks(text, repository) {
  return text.replace(/\]\((?![a-z]+:|#)([^)]+)\)/g, (_, path) => {
    return `](${repository}/blob/HEAD/${posix.normalize(posix.join("clients/typescript", path))})`;
  });
}

const repository = address("Repository");
const { scripts, devDependencies, ...kept } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const manifest = {
  ...kept,
  homepage: address("Documentation"),
  repository: { type: "git", url: `git+${repository}.git`, directory: "clients/typescript" },
};

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
cpSync(join(here, "dist"), join(target, "dist"), { recursive: true });
cpSync(join(root, "LICENSE"), join(target, "LICENSE"));
writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
for (const name of ["README.md", "CHANGELOG.md"]) {
  writeFileSync(join(target, name), withAbsoluteLinks(readFileSync(join(here, name), "utf8"), repository));
}

// Vendors the browser modules of the dashboard: node scripts/vendor.mjs
//
// Each package is fetched with npm pack, held to the integrity below, and the files that the dashboard needs are copied to
// web/static/vendor as ES modules that a browser loads without a build step: bare imports become relative ones, pointers
// to source maps go, and nothing is minified. vendor.json lists every file with its hash; licence texts go to
// web/licences. To update a package, change its version and integrity here (npm view NAME@VERSION dist.integrity).
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const target = join(root, "web", "static", "vendor");
const licences = join(root, "web", "licences");

const packages = [
  {
    name: "preact", version: "11.2.0", licence: "MIT",
    integrity: "sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
    files: { "dist/preact.mjs": "preact.mjs", "hooks/dist/hooks.mjs": "hooks.mjs" },
  },
  {
    name: "htm", version: "3.1.1", licence: "Apache-2.0",
    integrity: "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
    files: { "dist/htm.mjs": "htm.mjs" },
  },
  {
    name: "@preact/signals-core", version: "1.14.5", licence: "MIT",
    integrity: "sha512-vcRv7Ityz5JVmeiVqIluLFzT/PDS/AlhHUpw3/aUWqcVUs6bDGIPXE/6RSC4evBNWYvnniozg5Syfj33al3gkg==",
    files: { "dist/signals-core.mjs": "signals-core.mjs" },
  },
  {
    name: "@preact/signals", version: "2.11.4", licence: "MIT",
    integrity: "sha512-Rb+5RPo9gWSaHtzJeauhHxiC8KP/IF2DEPkHPEOGOnuy2wnJzRqyeLRankUCYd6ADqtxS6GnWGv6Ie343d8aYw==",
    files: { "dist/signals.mjs": "signals.mjs" },
  },
  {
    name: "uplot", version: "1.6.32", licence: "MIT",
    integrity: "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
    files: { "dist/uPlot.iife.min.js": "uplot.mjs", "dist/uPlot.min.css": "uplot.css" },
    // The package's own ES module is not minified and weighs twice as much; this one assigns a variable, so it lacks only
    // the export.
    append: { "uplot.mjs": "export default uPlot;\n" },
  },
  {
    name: "@fontsource-variable/inter", version: "5.3.0", licence: "OFL-1.1",
    integrity: "sha512-OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA==",
    files: { "files/inter-latin-wght-normal.woff2": "inter.woff2" },
  },
];

const imports = {
  preact: "./preact.mjs",
  "preact/hooks": "./hooks.mjs",
  "@preact/signals-core": "./signals-core.mjs",
};

const work = mkdtempSync(join(tmpdir(), "tidemark-vendor-"));
try {
  rmSync(target, { recursive: true, force: true });
  rmSync(licences, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  mkdirSync(licences, { recursive: true });
  const modules = packages.map(vendor);
  writeFileSync(join(target, "vendor.json"), JSON.stringify({ modules }, null, 2) + "\n");
} finally {
  rmSync(work, { recursive: true, force: true });
}

// vendor copies one package and returns its entry in vendor.json.
function vendor(pkg) {
  const dir = unpack(pkg);
  const licenceFile = pkg.name.replace("@", "").replace("/", "-") + ".txt";
  const text = readdirSync(dir).find((name) => /^licen[sc]e/i.test(name));
  if (!text) throw new Error(`${pkg.name} has no licence file`);
  writeFileSync(join(licences, licenceFile), readFileSync(join(dir, text), "utf8").replaceAll("\r\n", "\n"));
  const files = Object.entries(pkg.files).map(([from, to]) => {
    const content = /\.(mjs|css)$/.test(to)
      ? Buffer.from(browserText(readFileSync(join(dir, from), "utf8"), pkg.name) + (pkg.append?.[to] ?? ""))
      : readFileSync(join(dir, from));
    writeFileSync(join(target, to), content);
    return { path: to, sha256: createHash("sha256").update(content).digest("hex") };
  });
  console.log(`${pkg.name} ${pkg.version}: ${files.map((f) => f.path).join(", ")}`);
  return { name: pkg.name, version: pkg.version, licence: pkg.licence, licenceFile, files };
}

function unpack(pkg) {
  const packed = execFileSync("npm", ["pack", `${pkg.name}@${pkg.version}`, "--json", "--pack-destination", work], {
    encoding: "utf8", stdio: ["ignore", "pipe", "ignore"],
  });
  const archive = join(work, JSON.parse(packed)[0].filename);
  const found = "sha512-" + createHash("sha512").update(readFileSync(archive)).digest("base64");
  if (found !== pkg.integrity) throw new Error(`${pkg.name} ${pkg.version} is ${found}, not ${pkg.integrity}`);
  const dir = mkdtempSync(join(work, "package-"));
  execFileSync("tar", ["-xzf", archive, "-C", dir, "--strip-components=1"]);
  return dir;
}

// browserText makes bare imports relative and drops the pointer to a source map.
function browserText(text, name) {
  const rewritten = text
    .replace(/((?:from|import)\s*)(["'])([^"'./][^"']*)\2/g, (all, before, quote, bare) => {
      if (!imports[bare]) throw new Error(`${name} imports ${bare}, which is not vendored`);
      return before + quote + imports[bare] + quote;
    })
    .replace(/\n?\/[/*][#@] sourceMappingURL=.*$/gm, "");
  return rewritten.endsWith("\n") ? rewritten : rewritten + "\n";
}

// A TUF client of other makers, as its documentation has it: refresh, find a
// target through the delegations, download it. The argument is JSON: {server,
// metadata (directory with root.json and cache), targets (directory), target}.
// Prints JSON {versions, target}; what it refuses is a line on standard error,
// and exit status 1.
import { readFileSync, mkdirSync } from "node:fs";
import { Updater } from "tuf-js";

const ask = JSON.parse(process.argv[2]);
mkdirSync(ask.targets, { recursive: true });
try {
  const updater = new Updater({
    metadataBaseUrl: ask.server + "/metadata",
    targetBaseUrl: ask.server + "/targets",
    metadataDir: ask.metadata,
    targetDir: ask.targets,
    config: { fetchTimeout: 20000, fetchRetry: 0 },
  });
  await updater.refresh();
  let target = "";
  if (ask.target) {
    const info = await updater.getTargetInfo(ask.target);
    if (!info) throw new Error("no role signs " + ask.target);
    const path = await updater.downloadTarget(info);
    target = readFileSync(path).toString("base64");
  }
  const versions = {};
  for (const role of ["root", "timestamp", "snapshot", "targets"]) {
    versions[role] = JSON.parse(readFileSync(`${ask.metadata}/${role}.json`)).signed.version;
  }
  process.stdout.write(JSON.stringify({ versions, target }));
} catch (err) {
  process.stderr.write(`${err.name}: ${err.message}\n`);
  process.exit(1);
}

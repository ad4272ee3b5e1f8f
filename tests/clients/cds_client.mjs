// A CDS Hooks client of @medplum/core, from discovery to feedback. It fills the prefetch from a Bundle in a file,
// as an EHR would from its own FHIR server; everything else goes to the service.
import { readFileSync } from "node:fs";

globalThis.WebSocket ??= class {};
const { MedplumClient, buildCdsRequest } = await import("@medplum/core");

const [base, file] = process.argv.slice(2);
const { bundle, draftOrders, selections } = JSON.parse(readFileSync(file, "utf-8"));
const resources = bundle.entry.map((entry) => entry.resource);
const asked = [];

function reply(body, status = 200) {
  const headers = { "content-type": "application/fhir+json" };
  return new Response(JSON.stringify(body), { status, headers });
}

/** The FHIR server of the EHR: reads, and searches by patient, category, status and count. */
function fhir(url) {
  const [type, id] = url.pathname.split("/fhir/R4/")[1].split("/");
  asked.push(id ? `${type}/${id}` : type);
  if (id) {
    const found = resources.find((each) => each.resourceType === type && each.id === id);
    return found ? reply(found) : reply({ resourceType: "OperationOutcome", issue: [] }, 404);
  }
  const wanted = Object.fromEntries(url.searchParams);
  const hits = resources.filter(
    (each) =>
      each.resourceType === type &&
      (each.subject ?? each.patient)?.reference === `Patient/${wanted.patient}` &&
      (!wanted.status || each.status === wanted.status) &&
      (!wanted.category || JSON.stringify(each.category ?? []).includes(`"${wanted.category}"`)),
  );
  const shown = hits.slice(0, Number(wanted._count ?? hits.length));
  const link = shown.length < hits.length ? [{ relation: "next", url: "https://ehr.example/next" }] : [];
  return reply({ resourceType: "Bundle", type: "searchset", total: hits.length, link, entry: shown.map((resource) => ({ resource })) });
}

const client = new MedplumClient({
  baseUrl: `${base}/`,
  fetch: (input, options) => {
    const url = new URL(input);
    return url.pathname.includes("/fhir/R4/") ? Promise.resolve(fhir(url)) : fetch(input, options);
  },
});

const user = { resourceType: "Practitioner", id: "dr" };
const patient = resources.find((each) => each.resourceType === "Patient");
const encounter = resources.find((each) => each.resourceType === "Encounter" && each.status === "in-progress");
const { services } = await client.getCdsServices();
const answers = {};
for (const service of services) {
  const context = { userId: "Practitioner/dr", patientId: patient.id, encounterId: encounter.id };
  if (service.hook.startsWith("order-")) Object.assign(context, { draftOrders });
  if (service.hook === "order-select") Object.assign(context, { selections });
  const request = await buildCdsRequest(client, user, service, context);
  answers[service.hook] = (await client.callCdsService(service.id, request)).cards;
}

const [card] = answers["patient-view"];
const told = { card: card.uuid, outcome: "accepted", outcomeTimestamp: new Date().toISOString() };
const feedback = { feedback: [{ ...told, acceptedSuggestions: [{ id: card.suggestions[0].uuid }] }] };
const received = await client.post(`${client.getCdsServicesUrl()}/lumbar-patient-view/feedback`, feedback);
console.log(JSON.stringify({ services: services.length, answers, received, asked: [...new Set(asked)] }));

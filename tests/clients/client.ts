// A client made from the contract asks the running service what README.md asks. The compiler proves that what is read
// below is typed; the figures are printed for tests/test_clients.py. Arguments: base URL, file with the request.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [base, file] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: base });
const body: components["schemas"]["AssessmentRequest"] = JSON.parse(readFileSync(file, "utf-8"));

const { data, error } = await client.POST("/v1/assessments", { body, params: { query: { detail: "full" } } });
if (error !== undefined || !("scores" in data)) throw new Error(JSON.stringify(error));
const level: "emergency" | "urgent_same_day" | "urgent_2_weeks" | "routine" | "self_care" = data.urgency.level;
const first: components["schemas"]["DifferentialEntry"] | undefined = data.differential[0];
const rung: components["schemas"]["RungPart"] | undefined = data.treatment_ladder.rungs[0];
if (first === undefined || rung === undefined) throw new Error("nothing ranked, or no rung");
const probability: number = first.probability;

const looked = await client.GET("/v1/conditions/{id}", { params: { path: { id: first.condition } } });
const label: string | undefined = looked.data?.label;

const about = await client.GET("/v1/knowledge");
const attributes: number | undefined = about.data?.source_attributes.attributes?.length;

const wrong = await client.GET("/v1/conditions/{id}", { params: { path: { id: "disc_hernia" } } });
const closest: string | undefined = wrong.error?.errors?.[0]?.closest?.[0];

// @ts-expect-error a field that the contract does not have is no field of the client
void data.urgency.levle;

console.log(JSON.stringify({ level, condition: first.condition, probability, rung: rung.rung, label, attributes, closest }));

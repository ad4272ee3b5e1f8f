// What was said of the person: it lives in this variable and nowhere else, and becomes a request of POST /v1/assessments.

export const DAYS = { days: 1, weeks: 7, months: 30, years: 365 };

const nothing = () => ({
	age: "",
	sex: null,
	pregnancy: "",
	setting: "",
	duration: "",
	unit: "days",
	severity: "",
	mode: "",
	informant: "",
	screening: {},
	asked: new Set(),
	findings: {},
	observations: {},
	medications: null,
	allergies: null,
	tried: null,
});

export const state = nothing();
export const known = {
	findings: new Map(),
	observations: new Map(),
	items: [],
	drugs: new Map(),
	treatments: new Map(),
	conditions: new Map(),
};

export function clear() {
	Object.assign(state, nothing());
}

/** A number as it was typed, a comma for a point allowed; text that is no number stays text, for the service to refuse. */
export function number(text) {
	const value = Number(String(text).trim().replace(",", "."));
	return String(text).trim() === "" ? null : Number.isNaN(value) ? String(text) : value;
}

const keep = (object) =>
	Object.fromEntries(
		Object.entries(object).filter(([, value]) => value !== null && value !== undefined && value !== ""),
	);
const filled = (object) => (Object.keys(object).length ? object : null);

/** The request, or null while there is no age: the one thing that must be known. */
export function request() {
	if (number(state.age) === null) return null;
	const days = number(state.duration);
	return keep({
		patient: keep({
			age_years: number(state.age),
			sex: state.sex,
			pregnancy: state.sex === "female" ? state.pregnancy : null,
		}),
		setting: state.setting,
		episode: filled(
			keep({
				duration_days: typeof days === "number" ? days * DAYS[state.unit] : days,
				pain_severity: number(state.severity),
			}),
		),
		contact: filled(keep({ mode: state.mode, informant: state.informant })),
		screening: filled({ ...state.screening }),
		findings: filled({ ...state.findings }),
		observations: filled(
			keep(
				Object.fromEntries(
					Object.entries(state.observations).map(([id, raw]) => [
						id,
						known.observations.get(id)?.plausible ? number(raw) : raw,
					]),
				),
			),
		),
		medications: state.medications && [...state.medications],
		allergies: state.allergies && [...state.allergies],
		treatments_tried: state.tried?.map(({ treatment, weeks, response }) =>
			keep({ treatment, weeks: number(weeks ?? ""), response }),
		),
	});
}

/** Take over a request as an example holds it. */
export function load(given) {
	clear();
	const { patient = {}, episode = {}, contact = {} } = given;
	const text = (value) => (value === undefined ? "" : String(value));
	Object.assign(state, {
		age: text(patient.age_years),
		sex: patient.sex ?? null,
		pregnancy: patient.pregnancy ?? "",
		setting: given.setting ?? "",
		severity: text(episode.pain_severity),
		mode: contact.mode ?? "",
		informant: contact.informant ?? "",
		screening: { ...given.screening },
		findings: { ...given.findings },
		observations: Object.fromEntries(
			Object.entries(given.observations ?? {}).map(([id, value]) => [id, String(value)]),
		),
		medications: given.medications ?? null,
		allergies: given.allergies ?? null,
		tried: given.treatments_tried?.map((each) => ({ ...each })) ?? null,
		...duration(episode.duration_days),
	});
}

function duration(days) {
	if (days === undefined) return {};
	const unit = ["years", "months", "weeks"].find((name) => days >= DAYS[name] && days % DAYS[name] === 0) ?? "days";
	return { duration: String(days / DAYS[unit]), unit };
}

/** What was answered to a finding: by itself, or by a stroke over one of its items. */
export function answerTo(finding, item) {
	const stroke = item && state.screening[item.id];
	return (
		state.findings[finding] ??
		stroke ??
		known.items
			.filter((each) => each.findings.includes(finding))
			.map((each) => state.screening[each.id])
			.find(Boolean) ??
		null
	);
}

/** An item as a whole: yes if one finding is present ("asked": said so, not yet which), else what all its findings say. */
export function itemState(item) {
	const answers = item.findings.map((finding) => answerTo(finding, item));
	if (answers.includes("present")) return "present";
	if (answers.includes(null)) return state.asked.has(item.id) ? "asked" : null;
	return answers.includes("unknown") ? "unknown" : "absent";
}

/**
 * Answer an item as a whole. An item of one finding answers that finding. "No" and "can't tell" are one stroke over all
 * its findings; a finding that another item shares keeps the answer that it has.
 */
export function answerItem(item, answer) {
	state.asked.delete(item.id);
	if (item.findings.length === 1) {
		delete state.screening[item.id];
		if (answer) state.findings[item.findings[0]] = answer;
		else delete state.findings[item.findings[0]];
		return;
	}
	const shared = (finding) => known.items.some((other) => other !== item && other.findings.includes(finding));
	for (const finding of item.findings) if (answer !== "present" && !shared(finding)) delete state.findings[finding];
	if (answer === "absent" || answer === "unknown") state.screening[item.id] = answer;
	else delete state.screening[item.id];
	if (answer === "present") state.asked.add(item.id);
}

export function answerFinding(finding, answer) {
	if (answer) state.findings[finding] = answer;
	else delete state.findings[finding];
}

// The answer as plain text for the record, and as one A4 page.

import { h, percent, t, word } from "./dom.js";
import { short, wordOf } from "./names.js";
import { known, state } from "./state.js";

const OFFERED = ["recommended", "consider", "caution"];
const levelName = ({ level, provisional }) =>
	t(provisional ? "level.atLeast" : "level.final", { level: word("level", level) });

function who() {
	const parts = [
		t("record.age", { age: state.age }),
		state.sex && word("sex", state.sex),
		word("setting", state.setting || "unknown"),
		state.duration && t("record.duration", { n: state.duration, unit: word("unit", state.unit) }),
		state.severity && t("record.severity", { n: state.severity }),
	];
	return parts.filter(Boolean).join(", ");
}

const answered = (answer) =>
	Object.entries(state.findings)
		.filter(([, said]) => said === answer)
		.map(([id]) => wordOf(id));
const items = (answer) =>
	Object.entries(state.screening)
		.filter(([, said]) => said === answer)
		.map(([id]) => known.items.find((item) => item.id === id)?.label ?? id);
const measured = () =>
	Object.entries(state.observations)
		.filter(([, raw]) => raw !== "")
		.map(
			([id, raw]) =>
				`${known.observations.get(id)?.label ?? id} ${raw}${known.observations.get(id)?.unit ? ` ${word("unit", known.observations.get(id).unit)}` : ""}`,
		);
const names = (key) => state[key]?.map((id) => known.drugs.get(id)?.label ?? id);
const listed = (found) =>
	found === undefined || found === null ? t("notAsked") : found.length ? found.join(", ") : t("none");
const entries = (answer) =>
	answer.treatment_ladder.rungs.flatMap((rung) => rung.entries.map((entry) => ({ ...entry, rung: rung.rung })));
const withStatus = (answer, status) => entries(answer).filter((entry) => entry.status === status);

/** The lines of the record: [heading, lines] in order; headings without lines are left out. */
function parts(answer) {
	const {
		urgency,
		treatment_ladder: { pathway },
	} = answer;
	const presence = [...answered("present")];
	return [
		[
			t("record.urgency"),
			[
				`${levelName(urgency)}. ${urgency.within}. ${urgency.disposition}.`,
				...urgency.reasons.slice(0, 3).map(({ title, because }) => `${title}: ${because}`),
			],
		],
		[t("urgency.actions"), pathway ? pathway.actions : urgency.actions],
		[t("pathway.avoid"), pathway ? pathway.avoid : []],
		[t("record.open"), urgency.open_must_asks.map(({ question }) => question)],
		[
			t("record.differential"),
			answer.differential.slice(0, 5).map(
				(each) =>
					`${each.label} ${percent(each.probability)}${each.likelihood ? ` (${word("likelihood", each.likelihood)})` : ""}${
						each.for.length
							? `. ${t("record.for")}: ${each.for
									.slice(0, 3)
									.map(
										(line) => `${wordOf(line.word)}${line.state === "absent" ? ` (${word("state", "absent")})` : ""}`,
									)
									.join("; ")}`
							: ""
					}`,
			),
		],
		[t("exclude.title"), answer.must_exclude.map((each) => short(each.label))],
		...["order", "consider", "do_not_order"].map((advice) => [
			t(`investigations.${advice}`),
			answer.investigations
				.filter((each) => each.advice === advice)
				.map((each) => `${each.label}${each.when ? `, ${each.when}` : ""}`),
		]),
		...OFFERED.map((status) => [
			t("record.treatments", { status: word("status", status) }),
			withStatus(answer, status).map((each) => `${each.label}${each.dose ? `: ${each.dose}` : ""}`),
		]),
		[t("record.excluded"), withStatus(answer, "excluded").map((each) => `${each.label}: ${each.because}`)],
		[t("after.title"), answer.follow_up.map((each) => `${each.title}: ${each.within}`)],
		[t("record.present"), presence],
		[t("record.absent"), [...items("absent"), ...answered("absent")]],
		[t("record.unknown"), [...items("unknown"), ...answered("unknown")]],
		[t("record.measured"), measured()],
		[t("medications.find"), [listed(names("medications"))]],
		[t("allergies.find"), [listed(names("allergies"))]],
		[
			t("record.tried"),
			state.tried
				? [
						listed(
							state.tried.map(({ treatment, weeks, response }) =>
								[
									known.treatments.get(treatment)?.label ?? treatment,
									weeks && t("record.weeks", { n: weeks }),
									response && t("record.response", { response: word("response", response).toLowerCase() }),
								]
									.filter(Boolean)
									.join(", "),
							),
						),
					]
				: [],
		],
		[t("notices.title"), answer.notices.map(({ value, text }) => `${wordOf(value)}: ${text}`)],
	].filter(([, lines]) => lines.length);
}

const foot = ({ knowledge, intended_use: use }) =>
	`${use} ${t("stamp", { version: knowledge.version, hash: knowledge.sha256.slice(0, 12) })}`;

/** The whole record as text. */
export function plainText(answer) {
	const body = parts(answer).map(
		([title, lines]) => `${title.toUpperCase()}\n${lines.map((line) => `- ${line}`).join("\n")}`,
	);
	return [`${t("record.title")}\n${who()}`, ...body, foot(answer)].join("\n\n");
}

const limit = (lines, most) =>
	lines.length > most ? [...lines.slice(0, most), t("more", { n: lines.length - most })] : lines;
const cut = (text, most) => (text.length > most ? `${text.slice(0, text.lastIndexOf(" ", most))} …` : text);

/** The page that is printed: what a colleague needs, with what was left out counted. */
export function sheet(answer) {
	const { urgency } = answer;
	const heading = (status) => t("record.treatments", { status: word("status", status) });
	// How many lines of a part are printed, where it is not all of them; the page counts the others.
	const most = {
		[t("record.differential")]: 5,
		[t("record.open")]: 12,
		[t("record.present")]: 24,
		[t("record.absent")]: 24,
		[t("record.unknown")]: 10,
		[t("record.measured")]: 12,
		[t("record.excluded")]: 6,
		[t("notices.title")]: 4,
		[t("exclude.title")]: Infinity,
		[t("medications.find")]: Infinity,
		...Object.fromEntries(OFFERED.map((status) => [heading(status), 12])),
	};
	const named = OFFERED.map(heading); // printed by name, without the dose
	const inline = ["present", "absent", "unknown", "measured", "open"].map((key) => t(`record.${key}`));
	const run = new Set([...named, ...inline, t("exclude.title"), t("medications.find"), t("allergies.find")]);
	const blocks = parts(answer)
		.slice(1)
		.map(([title, lines]) => {
			const shown = limit(
				lines.map((line) => (named.includes(title) ? line.split(": ")[0] : run.has(title) ? line : cut(line, 150))),
				most[title] ?? 7,
			);
			const body = run.has(title)
				? h("p", {}, shown.join(" · "))
				: h(
						"ul",
						{},
						shown.map((line) => h("li", {}, line)),
					);
			return h("section", {}, h("h3", {}, title), body);
		});
	return [
		h("header", {}, h("h1", {}, t("record.title")), h("p", {}, who()), h("p", { class: "blank" }, t("record.blank"))),
		h(
			"div",
			{ class: `level ${urgency.level}` },
			h("h2", {}, levelName(urgency)),
			h("p", {}, `${urgency.within}. ${urgency.disposition}.`),
			limit(
				urgency.reasons.map(({ title }) => title),
				4,
			).map((title) => h("p", {}, title)),
		),
		h("div", { class: "columns" }, blocks),
		h("footer", {}, h("p", {}, foot(answer))),
	];
}

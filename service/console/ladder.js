// The treatment ladder: rungs from self-care to surgery; what was taken off it stays, with the reason.

import { h, t, word } from "./dom.js";
import { entryStates, folded, sources } from "./names.js";

const STATES = ["recommended", "consider", "caution", "not_yet", "excluded"];

export function ladder({ treatment_ladder: found }, old) {
	const before = old && entryStates(old);
	const against = found.not_recommended;
	if (!found.rungs.length && !against.length) return null;
	return h(
		"section",
		{ class: "part", "aria-labelledby": "ladder" },
		h("h2", { id: "ladder" }, t("ladder.title")),
		found.rungs.length > 0 &&
			h(
				"ul",
				{ class: "legend", "aria-label": t("ladder.legend") },
				STATES.map((state) => h("li", {}, badge(state))),
			),
		h(
			"ol",
			{ class: "rungs" },
			found.rungs.map((rung) => h("li", {}, rungOf(rung, before))),
		),
		against.length > 0 &&
			folded(
				"not-recommended",
				t("ladder.against", { n: against.length }),
				h(
					"ul",
					{ class: "plain" },
					against.map((each) =>
						h(
							"li",
							{},
							h("strong", {}, each.label),
							h(
								"p",
								{},
								each.because,
								" ",
								each.instead && t("ladder.insteadOf", { instead: each.instead }),
								" ",
								sources(each),
							),
						),
					),
				),
			),
	);
}

const badge = (state) =>
	h("span", { class: `status ${state}` }, h("span", { class: "mark", "aria-hidden": "true" }), word("status", state));

function rungOf({ rung, title, entries, enter_when: enter, adequate_trial: trial, climb_when: climb }, before) {
	const counts = STATES.map((state) => [state, entries.filter(({ status }) => status === state).length]).filter(
		([, n]) => n,
	);
	const details = h(
		"details",
		{ class: "rung", "data-key": `r-${rung}`, open: rung < 2 && entries.length > 0 },
		h(
			"summary",
			{},
			h("span", { class: "step" }, String(rung)),
			h("span", { class: "title" }, title),
			h(
				"span",
				{ class: "counts" },
				counts.length
					? counts.map(([state, n]) =>
							h(
								"span",
								{ class: `count ${state}` },
								h("span", { class: "mark", "aria-hidden": "true" }),
								t("ladder.count", { n, status: word("status", state).toLowerCase() }),
							),
						)
					: t("ladder.empty"),
			),
		),
		h(
			"p",
			{ class: "hint" },
			[
				t("ladder.enter", { text: enter }),
				trial && t("ladder.trial", { text: trial }),
				climb && t("ladder.climb", { text: climb }),
			]
				.filter(Boolean)
				.join(" "),
		),
		h(
			"ul",
			{ class: "entries" },
			entries.map((entry) => h("li", {}, entryOf(entry, before))),
		),
	);
	return details;
}

function entryOf(entry, before) {
	const was = before?.get(entry.treatment);
	const moved = before?.size && was !== entry.status;
	const details = h(
		"details",
		{ class: `entry ${entry.status}`, "data-key": `e-${entry.treatment}` },
		h(
			"summary",
			{},
			badge(entry.status),
			h(
				"span",
				{ class: "label" },
				entry.label,
				moved
					? h(
							"span",
							{ class: "moved" },
							was ? t("change.was", { status: word("status", was).toLowerCase() }) : t("change.new"),
						)
					: null,
				h(
					"small",
					{},
					entry.status === "excluded" || entry.status === "caution" || entry.status === "not_yet"
						? entry.because
						: (entry.dose ?? entry.use),
				),
			),
		),
	);
	details.addEventListener(
		"toggle",
		() => details.open && details.children.length === 1 && details.append(whole(entry)),
	);
	return details;
}

function whole(entry) {
	const line = (key, text) => text && [h("dt", {}, t(`entry.${key}`)), h("dd", {}, text)];
	const guidelines = Object.entries(entry.guidelines);
	return h(
		"div",
		{ class: "whole" },
		entry.safety.length > 0 &&
			h(
				"ul",
				{ class: "safety" },
				entry.safety.map((each) =>
					h(
						"li",
						{},
						h("strong", {}, each.title),
						` (${word("severity", each.severity)}) `,
						each.because,
						each.instead && h("p", {}, t("ladder.insteadOf", { instead: each.instead })),
						sources(each),
					),
				),
			),
		h(
			"dl",
			{},
			line("because", entry.because),
			line("effect", entry.effect !== entry.because && entry.effect),
			line("use", entry.use),
			line("dose", entry.dose),
			line("until", entry.until),
			line("judge", entry.judge_after),
			line(
				"checks",
				entry.checks.length > 0 &&
					h(
						"ul",
						{},
						entry.checks.map((each) => h("li", {}, each)),
					),
			),
			line(
				"together",
				entry.together.length > 0 &&
					h(
						"ul",
						{},
						entry.together.map((each) => h("li", {}, each.with.replaceAll("_", " "), ": ", each.because)),
					),
			),
			line(
				"alternatives",
				entry.alternatives.length > 0
					? entry.alternatives.map((id) => id.replaceAll("_", " ")).join(", ")
					: entry.no_alternative,
			),
			line(
				"guidelines",
				guidelines.length > 0 &&
					h(
						"ul",
						{},
						guidelines.map(([name, position]) => h("li", {}, h("strong", {}, name), ": ", position)),
					),
			),
			line("articles", entry.articles_say),
			line("evidence", word("evidence", entry.evidence_status)),
		),
		sources(entry),
	);
}
